"""The SQL aggregate expressions of a custom metric: a closed part of SQL, as steps (docs/book.md, "Custom metrics").

A checked expression leaves as rows of steps, never as SQL: `macros/custom` computes them set-based, the same on every
engine. An aggregate's argument is a program of its own, run for each event; units and amount are programs over the
aggregates. A step reads the results of earlier ones by their number; the first numbers are what a program starts with:
1 the value and 2 the timestamp of an event, or the aggregates in their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from dagster_project.lib.expressions._tokens import (
    MAX_DEPTH,
    ExpressionError,
    Reader,
    Token,
    tokens,
)

Kind = Literal["number", "text", "property", "boolean", "null"]
_AGGREGATES = ("sum", "count", "min", "max", "avg")
_SCALARS = ("abs", "round", "ceil", "floor", "coalesce", "nullif", "greatest", "least")
_READINGS = ("value", "timestamp", "property")
_COMPARISONS = {
    "=": "equal", "<>": "unequal", "!=": "unequal", "<": "less", "<=": "at_most", ">": "more", ">=": "at_least"
}  # fmt: skip
_DECIMAL_TYPES = ("decimal", "numeric")
_FIRST_OF_EVENT = {"value": 1, "timestamp": 2}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the results of earlier steps, a number or a text."""

    operation: str
    operands: tuple[int, ...] = ()
    number: Decimal | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in order; the last one is what the program gives.

    `kind` is argument (of the aggregate `slot`, which the last step names), units or amount (slot 0); `first_step` is
    the number of the first step.
    """

    kind: Literal["argument", "units", "amount"]
    slot: int
    first_step: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    operation: str
    kind: Kind
    position: int
    operands: tuple["_Node", ...] = ()
    number: Decimal | None = None
    text: str | None = None


def parse_aggregator(units: str, amount: str | None) -> tuple[Program, ...]:
    """The programs of a custom metric: of the arguments, then units, then amount. Raises ExpressionError."""
    slots: dict[tuple[Step, ...], int] = {}
    roots = [("units", _parsed(units, slots))]
    if amount is not None:
        roots.append(("amount", _parsed(amount, slots)))
    first = 1 + len(_FIRST_OF_EVENT)
    programs = [Program("argument", slot, first, steps) for steps, slot in slots.items()]
    for kind, root in roots:
        compiler = _Compiler(len(slots))
        compiler.finish("result", root)
        named: Literal["units", "amount"] = "units" if kind == "units" else "amount"
        programs.append(Program(named, 0, len(slots) + 1, tuple(compiler.steps)))
    return tuple(programs)


def check_aggregate(text: str) -> None:
    """Raise ExpressionError when an expression of units or amount cannot be used."""
    _parsed(text, {})


def _parsed(text: str, slots: dict[tuple[Step, ...], int]) -> _Node:
    words = tokens(text)
    for word, after in pairwise(words):
        if word.quote == '"':
            raise ExpressionError("texts are in single quotes", word.position)
        if (word.text, after.text) in {("-", "-"), ("/", "*")} and after.position == word.position + 1:
            raise ExpressionError("no comments", word.position)
    parser = _Parser(words, slots)
    root = parser.expression(0)
    parser.expect_end()
    if not parser.has_aggregate:
        raise ExpressionError(f"an aggregate expected ({', '.join(_AGGREGATES)})", 1)
    return _as_number(root)


@dataclass(slots=True)
class _Compiler:
    """Turns nodes into steps; equal ones are computed once."""

    given: int
    steps: list[Step] = field(default_factory=list)
    known: dict[Step, int] = field(default_factory=dict)

    def finish(self, operation: str, node: _Node) -> None:
        self.steps.append(Step(operation, (self.register(node),)))

    def register(self, node: _Node) -> int:
        if node.operation in _FIRST_OF_EVENT:
            return _FIRST_OF_EVENT[node.operation]
        if node.operation == "slot":
            return int(node.number or 0)
        step = Step(node.operation, tuple(map(self.register, node.operands)), node.number, node.text)
        if step not in self.known:
            self.steps.append(step)
            self.known[step] = self.given + len(self.steps)
        return self.known[step]


class _Parser(Reader):
    """Reads SQL's own precedence: or, and, not, comparison, ||, + -, * /, unary minus."""

    def __init__(self, words: list[Token], slots: dict[tuple[Step, ...], int]) -> None:
        super().__init__(words)
        self.slots = slots
        self.has_aggregate = False
        self.in_aggregate = False

    def took(self, *names: str) -> bool:
        """Whether these words come next; then they are taken."""
        for offset, name in enumerate(names):
            word = self.words[min(self.place + offset, len(self.words) - 1)]
            if word.kind != "name" or word.text.lower() != name:
                return False
        self.place += len(names)
        return True

    def node(self, operation: str, kind: Kind, position: int, *operands: _Node) -> _Node:
        self.count_operation(position)
        return _Node(operation, kind, position, operands)

    def expression(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"at most {MAX_DEPTH} levels", self.word.position)
        node = self._and(depth)
        while self.is_name("or"):
            position = self.take().position
            node = self.node("or", "boolean", position, _as_boolean(node), _as_boolean(self._and(depth)))
        return node

    def _and(self, depth: int) -> _Node:
        node = self._not(depth)
        while self.is_name("and"):
            position = self.take().position
            node = self.node("and", "boolean", position, _as_boolean(node), _as_boolean(self._not(depth)))
        return node

    def _not(self, depth: int) -> _Node:
        if self.is_name("not"):
            position = self.take().position
            if depth > MAX_DEPTH:
                raise ExpressionError(f"at most {MAX_DEPTH} levels", position)
            return self.node("not", "boolean", position, _as_boolean(self._not(depth + 1)))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> _Node:
        node = self._joined(depth)
        word = self.word
        if word.kind == "symbol" and word.text in _COMPARISONS:
            self.take()
            return self._compared(_COMPARISONS[word.text], word.position, node, self._joined(depth))
        if self.took("is", "not", "null"):
            missing = self.node("is_null", "boolean", word.position, node)
            return self.node("not", "boolean", word.position, missing)
        if self.took("is", "null"):
            return self.node("is_null", "boolean", word.position, node)
        is_not = self.took("not")
        if self.is_name("in"):
            found = self._in(node, depth)
        elif self.is_name("between"):
            self.take()
            low = self._joined(depth)
            self.expect("and", "between the bounds of between")
            above = self._compared("at_least", word.position, node, low)
            below = self._compared("at_most", word.position, node, self._joined(depth))
            found = self.node("and", "boolean", word.position, above, below)
        elif is_not:
            raise ExpressionError(f"in or between expected after not, not {self.word}", self.word.position)
        else:
            return node
        return self.node("not", "boolean", word.position, found) if is_not else found

    def _in(self, node: _Node, depth: int) -> _Node:
        position = self.take().position
        self.expect("(", "after in")
        found = self._compared("equal", position, node, self._joined(depth))
        while self.is_symbol(","):
            self.take()
            other = self._compared("equal", position, node, self._joined(depth))
            found = self.node("or", "boolean", position, found, other)
        self.expect(")", "after the values of in")
        return found

    def _compared(self, name: str, position: int, one: _Node, other: _Node) -> _Node:
        """As numbers when either is one or they are put in order; else as texts, for equality only."""
        kinds = {one.kind, other.kind}
        if "boolean" in kinds:
            raise ExpressionError("a condition cannot be compared", position)
        if "number" not in kinds and name in ("equal", "unequal"):
            return self.node(f"{name}_text", "boolean", position, one, other)
        return self.node(name, "boolean", position, _as_number(one), _as_number(other))

    def _joined(self, depth: int) -> _Node:
        node = self._sum(depth)
        while self.is_symbol("||"):
            position = self.take().position
            node = self.node("concat", "text", position, _as_text(node), _as_text(self._sum(depth)))
        return node

    def _sum(self, depth: int) -> _Node:
        node = self._product(depth)
        while self.is_symbol("+", "-"):
            sign = self.take()
            name = "add" if sign.text == "+" else "subtract"
            node = self.node(name, "number", sign.position, _as_number(node), _as_number(self._product(depth)))
        return node

    def _product(self, depth: int) -> _Node:
        node = self._unary(depth)
        while self.is_symbol("*", "/"):
            sign = self.take()
            name = "multiply" if sign.text == "*" else "divide"
            node = self.node(name, "number", sign.position, _as_number(node), _as_number(self._unary(depth)))
        return node

    def _unary(self, depth: int) -> _Node:
        if self.is_symbol("-"):
            position = self.take().position
            if depth > MAX_DEPTH:
                raise ExpressionError(f"at most {MAX_DEPTH} levels", position)
            return self.node("negate", "number", position, _as_number(self._unary(depth + 1)))
        return self._primary(depth)

    def _primary(self, depth: int) -> _Node:
        word = self.take()
        name = word.text.lower() if word.kind == "name" else ""
        if word.kind == "number":
            return _Node("number", "number", word.position, number=Decimal(word.text))
        if word.kind == "text":
            return _Node("text", "text", word.position, text=word.text)
        if word.kind == "symbol" and word.text == "(":
            node = self.expression(depth + 1)
            self.expect(")", "after what the parenthesis holds")
            return node
        if name == "null":
            return _Node("number", "null", word.position)
        if name == "case":
            return self._case(word.position, depth)
        if name == "cast":
            return self._cast(depth)
        if name in _READINGS:
            return self._reading(name, word.position)
        if name in _AGGREGATES:
            return self._aggregate(name, word.position, depth)
        if name in _SCALARS:
            return self._scalar(name, word.position, depth)
        if name and self.is_symbol("("):
            allowed = ", ".join((*_AGGREGATES, *_SCALARS))
            raise ExpressionError(f"{word} is not one of the functions {allowed}", word.position)
        if name:
            raise ExpressionError(f"{word} is not known: only value, timestamp and property('name') are", word.position)
        raise ExpressionError(f"a number, a text, a reading or a function expected, not {word}", word.position)

    def _reading(self, name: str, position: int) -> _Node:
        if not self.in_aggregate:
            raise ExpressionError(f"{name} stands inside of an aggregate, such as sum({name}…)", position)
        if name != "property":
            return _Node(name, "number", position)
        self.expect("(", "after property")
        word = self.take()
        if word.kind != "text" or not word.text:
            raise ExpressionError("the name of a property in single quotes expected", word.position)
        self.expect(")", "after the name of a property")
        return _Node("property", "property", position, text=word.text)

    def _aggregate(self, name: str, position: int, depth: int) -> _Node:
        if self.in_aggregate:
            raise ExpressionError(f"{name} stands inside of another aggregate", position)
        self.has_aggregate = self.in_aggregate = True
        self.expect("(", f"after {name}")
        is_distinct = self.took("distinct")
        if is_distinct and name != "count":
            raise ExpressionError(f"distinct is for count only, not for {name}", position)
        if name == "count" and not is_distinct and self.is_symbol("*"):
            argument = _Node("number", "number", self.take().position, number=Decimal(1))
        else:
            argument = self.expression(depth + 1)
            argument = argument if name == "count" else _as_number(argument)
        self.expect(")", f"after what {name} is of")
        if self.took("filter"):
            self.expect("(", "after filter")
            self.expect("where", "after filter (")
            condition = _as_boolean(self.expression(depth + 1))
            self.expect(")", "after the condition of filter")
            argument = self.node("choose", argument.kind, position, condition, argument, _nothing(position))
        self.in_aggregate = False
        self.node(name, "number", position)
        if name == "avg":
            count = self._slot("count", argument, position)
            is_none = self.node("equal", "boolean", position, count, _zero(position))
            counted = self.node("choose", "number", position, is_none, _nothing(position), count)
            return self.node("divide", "number", position, self._slot("sum", argument, position), counted)
        return self._slot("count_distinct" if is_distinct else name, argument, position)

    def _slot(self, function: str, argument: _Node, position: int) -> _Node:
        compiler = _Compiler(len(_FIRST_OF_EVENT))
        compiler.finish(function, argument)
        slot = self.slots.setdefault(tuple(compiler.steps), len(self.slots) + 1)
        return _Node("slot", "number", position, number=Decimal(slot))

    def _scalar(self, name: str, position: int, depth: int) -> _Node:
        self.expect("(", f"after {name}")
        operands = [self.expression(depth + 1)]
        while self.is_symbol(","):
            self.take()
            operands.append(self.expression(depth + 1))
        self.expect(")", f"after what {name} is of")
        self._check_count(name, len(operands), position)
        if name == "abs":
            return self.node(name, "number", position, _as_number(operands[0]))
        if name in ("round", "ceil", "floor"):
            places = _places(operands[1]) if len(operands) == 2 else Decimal(0)
            return replace(self.node(name, "number", position, _as_number(operands[0])), number=places)
        kind, converted = _alike(operands)
        if name == "nullif":
            suffix = "" if kind == "number" else "_text"
            same = self.node(f"equal{suffix}", "boolean", position, *converted)
            return self.node("choose", kind, position, same, _nothing(position), converted[0])
        if name != "coalesce" and kind != "number":
            raise ExpressionError(f"{name} is of numbers", position)
        node = converted[0]
        for operand in converted[1:]:
            node = self.node(name, kind, position, node, operand)
        return node

    @staticmethod
    def _check_count(name: str, count: int, position: int) -> None:
        least, most = {"abs": (1, 1), "nullif": (2, 2)}.get(
            name, (1, 2) if name in ("round", "ceil", "floor") else (2, 20)
        )
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ExpressionError(f"{name} has {wanted} arguments, not {count}", position)

    def _cast(self, depth: int) -> _Node:
        self.expect("(", "after cast")
        node = _as_number(self.expression(depth + 1))
        self.expect("as", "after what is cast")
        if not self.is_name(*_DECIMAL_TYPES):
            raise ExpressionError(f"decimal expected, not {self.word}", self.word.position)
        self.take()
        self.expect(")", "after decimal")
        return node

    def _case(self, position: int, depth: int) -> _Node:
        subject = None if self.is_name("when") else self.expression(depth + 1)
        conditions: list[_Node] = []
        results: list[_Node] = []
        while self.is_name("when"):
            at = self.take().position
            condition = self.expression(depth + 1)
            if subject is not None:
                condition = self._compared("equal", at, subject, condition)
            conditions.append(_as_boolean(condition))
            self.expect("then", "after the condition of when")
            results.append(self.expression(depth + 1))
        if not conditions:
            raise ExpressionError(f"when expected after case, not {self.word}", self.word.position)
        results.append(self.expression(depth + 1) if self.took("else") else _nothing(position))
        self.expect("end", "after the last branch of case")
        kind, converted = _alike(results)
        node = converted[-1]
        for condition, result in zip(reversed(conditions), reversed(converted[:-1]), strict=True):
            node = self.node("choose", kind, position, condition, result, node)
        return node


def _nothing(position: int) -> _Node:
    return _Node("number", "null", position)


def _zero(position: int) -> _Node:
    return _Node("number", "number", position, number=Decimal(0))


def _as_number(node: _Node) -> _Node:
    if node.kind in ("number", "null"):
        return node
    if node.kind == "property":
        return _Node("number_of", "number", node.position, (node,))
    raise ExpressionError(f"a number expected, not a {_called(node)}", node.position)


def _as_text(node: _Node) -> _Node:
    if node.kind in ("text", "property", "null"):
        return node
    raise ExpressionError(f"a text expected, not a {_called(node)}", node.position)


def _as_boolean(node: _Node) -> _Node:
    if node.kind in ("boolean", "null"):
        return node
    raise ExpressionError(f"a condition expected, not a {_called(node)}", node.position)


def _called(node: _Node) -> str:
    return "condition" if node.kind == "boolean" else node.kind


def _alike(nodes: Sequence[_Node]) -> tuple[Kind, list[_Node]]:
    """The nodes as numbers when one is a number, else as texts or conditions."""
    kinds = {node.kind for node in nodes} - {"null"}
    convert: Callable[[_Node], _Node] = _as_text
    kind: Kind = "property" if kinds == {"property"} else "text"
    if "number" in kinds or not kinds:
        convert, kind = _as_number, "number"
    elif "boolean" in kinds:
        convert, kind = _as_boolean, "boolean"
    return kind, [convert(node) for node in nodes]


def _places(node: _Node) -> Decimal:
    is_negative = node.operation == "negate"
    number = node.operands[0].number if is_negative else node.number if node.operation == "number" else None
    places = None if number is None else -number if is_negative else number
    if places is None or places != int(places) or not -15 <= places <= 12:
        raise ExpressionError("the decimals of a rounding are a whole number from -15 to 12", node.position)
    return places
