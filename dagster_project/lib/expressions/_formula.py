"""The expression of a billable metric: its grammar (docs/book.md, "Expressions").

sum     = product { ("+" | "-") product }
product = factor { ("*" | "/") factor }
factor  = "-" factor | number | text | "(" sum ")" | function "(" sum { "," sum } ")" | reading
reading = "event" "." ( "timestamp" | "code" | "properties" ( "." name | "[" text "]" ) )
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dagster_project.lib.expressions._tokens import (
    MAX_DEPTH,
    ExpressionError,
    Reader,
    tokens,
)

ROUNDINGS = ("round", "ceil", "floor")
_FUNCTIONS = (*ROUNDINGS, "concat")
_OPERATORS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
_MAX_PLACES = 12
_MIN_PLACES = -15


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the expression."""

    value: Decimal
    position: int


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text of the expression."""

    value: str
    position: int


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the event: a text, or the number that it writes."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The event's time in whole seconds since 1970."""

    position: int


@dataclass(frozen=True, slots=True)
class Code:
    """The event's code."""

    position: int


@dataclass(frozen=True, slots=True)
class Operation:
    """add, subtract, multiply, divide, negate, round, ceil, floor or concat; `places` of a rounding."""

    name: str
    operands: tuple["Node", ...]
    position: int
    places: int = 0


Node = Number | Text | Property | Timestamp | Code | Operation


def is_text(node: Node) -> bool:
    """Whether the value is a text whatever the event is."""
    return isinstance(node, (Text, Code)) or (isinstance(node, Operation) and node.name == "concat")


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed expression."""

    text: str
    root: Node

    def properties(self) -> tuple[str, ...]:
        """The names of the properties that it reads, each once, in order."""
        return tuple(dict.fromkeys(node.name for node in walk(self.root) if isinstance(node, Property)))


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    if isinstance(node, Operation):
        for operand in node.operands:
            yield from walk(operand)


def parse_formula(text: str) -> Formula:
    """The expression of a billable metric. Raises ExpressionError with the place of the mistake."""
    parser = _Parser(tokens(text))
    root = parser.sum(0)
    parser.expect_end()
    return Formula(text, root)


class _Parser(Reader):
    def sum(self, depth: int) -> Node:
        return self._chain(("+", "-"), depth)

    def _chain(self, symbols: tuple[str, ...], depth: int) -> Node:
        node = self._chain(("*", "/"), depth) if "+" in symbols else self._factor(depth)
        while self.is_symbol(*symbols):
            sign = self.take()
            right = self._chain(("*", "/"), depth) if "+" in symbols else self._factor(depth)
            node = self._operation(_OPERATORS[sign.text], (node, right), sign.position)
        return node

    def _operation(self, name: str, operands: tuple[Node, ...], position: int, places: int = 0) -> Node:
        self.count_operation(position)
        if name != "concat":
            for operand in operands:
                if is_text(operand):
                    raise ExpressionError("a number expected, not a text", operand.position)
        return Operation(name, operands, position, places)

    def _factor(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"at most {MAX_DEPTH} levels of parentheses", self.word.position)
        word = self.take()
        if word.kind == "number":
            return Number(Decimal(word.text), word.position)
        if word.kind == "text":
            return Text(word.text, word.position)
        if word.kind == "symbol" and word.text == "-":
            return self._operation("negate", (self._factor(depth + 1),), word.position)
        if word.kind == "symbol" and word.text == "(":
            node = self.sum(depth + 1)
            self.expect(")", "after what the parenthesis holds")
            return node
        if word.kind == "name" and word.text == "event":
            return self._reading(word.position)
        if word.kind == "name" and word.text.lower() in _FUNCTIONS:
            return self._function(word.text.lower(), word.position, depth)
        if word.kind == "name":
            raise ExpressionError(f"{word} is not known: write event.properties.{word} for a property", word.position)
        raise ExpressionError(
            f"a number, a text, a reading of the event or a function expected, not {word}", word.position
        )

    def _reading(self, position: int) -> Node:
        self.expect(".", "after event")
        word = self.take()
        if word.kind == "name" and word.text == "timestamp":
            return Timestamp(position)
        if word.kind == "name" and word.text == "code":
            return Code(position)
        if word.kind != "name" or word.text != "properties":
            raise ExpressionError(f"timestamp, code or properties expected after event., not {word}", word.position)
        if self.is_symbol("["):
            self.take()
            name = self.take()
            if name.kind != "text" or not name.text:
                raise ExpressionError("the name of a property in quotes expected", name.position)
            self.expect("]", "after the name of a property")
            return Property(name.text, position)
        self.expect(".", "or [ after event.properties")
        name = self.take()
        if name.kind != "name":
            raise ExpressionError(
                "the name of a property expected: letters, digits and _, "
                "or any in brackets and quotes as in event.properties['a b']",
                name.position,
            )
        if self.is_symbol(".", "["):
            raise ExpressionError(
                f"no part of a property's name: write event.properties['{name.text}.…'] for a name with a point",
                self.word.position,
            )
        return Property(name.text, position)

    def _function(self, name: str, position: int, depth: int) -> Node:
        self.expect("(", f"after {name}")
        operands: list[Node] = [self.sum(depth + 1)]
        while self.is_symbol(","):
            self.take()
            operands.append(self.sum(depth + 1))
        self.expect(")", f"after what {name} is of")
        if name == "concat":
            return self._operation(name, tuple(operands), position)
        if len(operands) > 2:
            raise ExpressionError(f"{name} has a number and, optional, how many decimals", operands[2].position)
        places = _places(operands[1]) if len(operands) == 2 else 0
        return self._operation(name, (operands[0],), position, places)


def _places(node: Node) -> int:
    sign, number = 1, node
    if isinstance(node, Operation) and node.name == "negate":
        sign, number = -1, node.operands[0]
    if isinstance(number, Number) and number.value == int(number.value):
        places = sign * int(number.value)
        if _MIN_PLACES <= places <= _MAX_PLACES:
            return places
    raise ExpressionError(
        f"the decimals of a rounding are a whole number from {_MIN_PLACES} to {_MAX_PLACES}", node.position
    )
