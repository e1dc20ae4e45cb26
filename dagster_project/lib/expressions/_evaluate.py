"""What a metric's expression gives for one event: in fractions, so that nothing is rounded on the way."""

import re
from collections.abc import Mapping
from fractions import Fraction

from dagster_project.lib.expressions._formula import (
    Code,
    Formula,
    Node,
    Number,
    Operation,
    Property,
    Text,
    Timestamp,
)

_NUMERIC = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_QUANTITY = re.compile(r"-?0*[0-9]{1,15}(?:\.[0-9]{1,12}0*)?")
_DECIMALS = 12
_LIMIT = 10**15


class EvaluationError(Exception):
    """An expression has no value for an event; the message says why, and where in the expression."""


def evaluate(formula: Formula, *, code: str, seconds: int, properties: Mapping[str, str | None]) -> str:
    """The result as the text of a property; a number with at most 12 decimals, half away from zero.

    `properties` has the text of each property that the formula reads. Raises EvaluationError.
    """
    return _Event(code, seconds, properties).text(formula.root)


class _Event:
    def __init__(self, code: str, seconds: int, properties: Mapping[str, str | None]) -> None:
        self.code, self.seconds, self.properties = code, seconds, properties

    def text(self, node: Node) -> str:
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Code):
            return self.code
        if isinstance(node, Property):
            return self._property(node)
        if isinstance(node, Operation) and node.name == "concat":
            return "".join(map(self.text, node.operands))
        return _decimal_text(self.number(node), node)

    def number(self, node: Node) -> Fraction:
        if isinstance(node, Number):
            return Fraction(node.value)
        if isinstance(node, Timestamp):
            return Fraction(self.seconds)
        if isinstance(node, Property):
            return self._quantity(node)
        if not isinstance(node, Operation):
            raise TypeError(node)
        values = [self.number(operand) for operand in node.operands]
        match node.name, values:
            case "add", [one, other]:
                return one + other
            case "subtract", [one, other]:
                return one - other
            case "multiply", [one, other]:
                return one * other
            case "divide", [one, other]:
                if not other:
                    raise EvaluationError(f"division by zero, at character {node.position}")
                return one / other
            case "negate", [one]:
                return -one
            case name, [one]:
                return _rounded(name, one, node.places)
        raise TypeError(node)

    def _property(self, node: Property) -> str:
        value = self.properties[node.name]
        if value is None:
            raise EvaluationError(f"the property {node.name!r} is missing, at character {node.position}")
        return value

    def _quantity(self, node: Property) -> Fraction:
        value = self._property(node)
        shown = repr(value if len(value) <= 80 else value[:79] + "…")
        if not _NUMERIC.fullmatch(value):
            raise EvaluationError(f"the property {node.name!r} is no number: {shown}, at character {node.position}")
        if not _QUANTITY.fullmatch(value):
            raise EvaluationError(
                f"the property {node.name!r} has more than 15 digits before or 12 after the point: {shown}, "
                f"at character {node.position}"
            )
        return Fraction(value)


def half_away(value: Fraction) -> int:
    """The nearest integer, halves away from zero."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole


def _rounded(name: str, value: Fraction, places: int) -> Fraction:
    scale = Fraction(10) ** places
    functions = {"round": half_away, "ceil": Fraction.__ceil__, "floor": Fraction.__floor__}
    return functions[name](value * scale) / scale


def _decimal_text(value: Fraction, node: Node) -> str:
    scaled = half_away(value * 10**_DECIMALS)
    if abs(scaled) >= _LIMIT * 10**_DECIMALS:
        raise EvaluationError(f"the result has more than 15 digits before the point, at character {node.position}")
    whole, decimals = divmod(abs(scaled), 10**_DECIMALS)
    fraction = f"{decimals:012}".rstrip("0")
    return ("-" if scaled < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")
