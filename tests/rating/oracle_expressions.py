"""The expressions of metrics, evaluated by recursive descent: docs/billing-rules.md, Usage, Expressions."""

import re
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact import as_text, decimal_text, half_away, numeric, up

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]+)?)|'([^']*)'|\"([^\"]*)\"|([A-Za-z_][\w.]*)|(.))")


class FailedExpressionError(Exception):
    """The expression has no result for this event: the event is refused."""


def evaluate(expression: str, properties: Mapping[str, Any], at: datetime) -> str:
    """The text that the expression makes of an event."""
    value = _Evaluation(expression, properties, at).result()
    return decimal_text(value) if isinstance(value, Fraction) else value


class _Evaluation:
    def __init__(self, expression: str, properties: Mapping[str, Any], at: datetime) -> None:
        self.tokens: list[tuple[str, str]] = []
        kinds = ("number", "text", "text", "name", "sign")
        for match in _TOKEN.finditer(expression.strip()):
            kind, token = next((k, t) for k, t in zip(kinds, match.groups(), strict=True) if t is not None)
            self.tokens.append((kind, token))
        self.position = 0
        self.properties, self.at = properties, at

    def result(self) -> Fraction | str:
        value = self.sum()
        if self.position != len(self.tokens):
            raise ValueError(f"unread: {self.tokens[self.position :]}")
        return value

    def next_is(self, *signs: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position] in {("sign", sign) for sign in signs}

    def take(self) -> tuple[str, str]:
        self.position += 1
        return self.tokens[self.position - 1]

    def sum(self) -> Fraction | str:
        value = self.product()
        while self.next_is("+", "-"):
            _, sign = self.take()
            other = number_of(self.product())
            value = number_of(value) + (other if sign == "+" else -other)
        return value

    def product(self) -> Fraction | str:
        value = self.atom()
        while self.next_is("*", "/"):
            _, sign = self.take()
            other = number_of(self.atom())
            if sign == "/" and other == 0:
                raise FailedExpressionError
            value = number_of(value) * other if sign == "*" else number_of(value) / other
        return value

    def atom(self) -> Fraction | str:
        kind, token = self.take()
        if kind == "number":
            return Fraction(token)
        if kind == "text":
            return token
        if token == "-":
            return -number_of(self.atom())
        if token == "(":
            value = self.sum()
            self.take()
            return value
        if self.next_is("("):
            return self.call(token)
        if token == "event.timestamp":
            return Fraction(int(self.at.timestamp()))
        text = as_text(self.properties.get(token.removeprefix("event.properties.")))
        if text is None:
            raise FailedExpressionError
        return text

    def call(self, name: str) -> Fraction | str:
        arguments = []
        while not self.next_is(")"):
            self.take()  # the opening bracket, or a comma
            arguments.append(self.sum())
        self.take()
        if name == "concat":
            return "".join(a if isinstance(a, str) else decimal_text(a) for a in arguments)
        decimals = int(number_of(arguments[1])) if len(arguments) > 1 else 0
        return {"round": half_away, "ceil": up}[name](number_of(arguments[0]), decimals)


def number_of(value: Fraction | str) -> Fraction:
    """An operand of arithmetic; text that is no number fails."""
    number = numeric(value) if isinstance(value, str) else value
    if number is None:
        raise FailedExpressionError
    return number
