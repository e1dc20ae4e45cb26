"""Custom metrics: the steps of a checked SQL aggregate expression, computed one by one (docs/book.md).

A number has twelve decimals: products, quotients and roundings are rounded half away from zero to them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from dagster_project.lib.exact._numbers import ROUNDINGS, UnsettledError, half_away, numeric
from dagster_project.lib.expressions import Program, parse_aggregator

_DECIMALS = 12
Value = Fraction | str | None


def custom_quantities(
    units: str, amount: str | None, events: Sequence[tuple[Value, datetime, Mapping[str, str | None]]]
) -> tuple[Fraction, Fraction | None]:
    """The units and the amount of events: of each its value, its instant and its properties as text."""
    programs = parse_aggregator(units, amount)
    if not events:
        return Fraction(0), Fraction(0)
    slots = sorted((program for program in programs if program.kind == "argument"), key=lambda p: p.slot)
    aggregates = [_aggregate(program, events) for program in slots]
    results = {
        program.kind: _number(_run(program, aggregates, {})) for program in programs if program.kind != "argument"
    }
    return results["units"] or Fraction(0), (results["amount"] or Fraction(0)) if "amount" in results else Fraction(0)


def _aggregate(program: Program, events: Sequence[tuple[Value, datetime, Mapping[str, str | None]]]) -> Value:
    function = program.steps[-1].operation
    found = [_run(program, [value, Fraction(int(at.timestamp()))], properties) for value, at, properties in events]
    values = [value for value in found if value is not None]
    if function == "count":
        return Fraction(len(values))
    if function == "count_distinct":
        return Fraction(len(set(values)))
    numbers = [value for value in values if isinstance(value, Fraction)]
    if not numbers:
        return None
    return {"sum": lambda: sum(numbers, Fraction(0)), "min": lambda: min(numbers), "max": lambda: max(numbers)}[
        function
    ]()


def _run(program: Program, given: Sequence[Value], properties: Mapping[str, str | None]) -> Value:
    results = list(given)
    for step in program.steps:
        operands = [results[position - 1] for position in step.operands]
        results.append(_step(step.operation, operands, step.number, step.text, properties))
    return results[-1]


def _step(
    operation: str, operands: list[Value], number: object, text: str | None, properties: Mapping[str, str | None]
) -> Value:
    one, other, third = (*operands, None, None, None)[:3]
    match operation:
        case "number":
            return Fraction(str(number))
        case "text":
            return text
        case "property":
            return properties.get(text or "")
        case "number_of":
            return numeric(one if isinstance(one, str) else None)
        case "coalesce":
            return other if one is None else one
        case "choose":
            return other if one == 1 else third
        case "is_null":
            return Fraction(one is None)
        case "and":
            return Fraction(0) if 0 in (one, other) else None if None in (one, other) else Fraction(1)
        case "or":
            return Fraction(1) if 1 in (one, other) else None if None in (one, other) else Fraction(0)
        case "result" | "sum" | "min" | "max" | "count" | "count_distinct":
            return one
        case "greatest" | "least":
            numbers = [value for value in (one, other) if isinstance(value, Fraction)]
            return (max if operation == "greatest" else min)(numbers, default=None)
    if one is None or (len(operands) > 1 and other is None):
        return None
    if operation in _COMPARISONS:
        return Fraction(_COMPARISONS[operation](one, other))
    if operation == "concat":
        return f"{one}{other}"
    return _arithmetic(operation, _number(one) or Fraction(0), _number(other) or Fraction(0), operands, number)


def _arithmetic(operation: str, one: Fraction, other: Fraction, operands: list[Value], number: object) -> Fraction:
    match operation:
        case "add":
            return one + other
        case "subtract":
            return one - other
        case "multiply":
            return half_away(one * other, _DECIMALS)
        case "divide" if other == 0:
            raise UnsettledError("a division by zero")
        case "divide":
            return half_away(one / other, _DECIMALS)
        case "negate":
            return -one
        case "abs":
            return abs(one)
        case "not":
            return 1 - one
        case "round" | "ceil" | "floor":
            return ROUNDINGS[operation](one, int(str(number or 0)))
    raise UnsettledError(f"a step {operation}")


_COMPARISONS = {
    "equal": lambda a, b: a == b,
    "unequal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "at_most": lambda a, b: a <= b,
    "more": lambda a, b: a > b,
    "at_least": lambda a, b: a >= b,
    "equal_text": lambda a, b: a == b,
    "unequal_text": lambda a, b: a != b,
}


def _number(value: Value) -> Fraction | None:
    return value if isinstance(value, Fraction) else None
