"""Programs of custom metrics on both engines against SQL's rules written down in fractions, on random expressions."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from dagster_project.lib.expressions import parse_aggregator
from dagster_project.lib.warehouse import Session, Warehouse
from tests.dbt_project.test_macros import half_away, load_macros

RANDOM = random.Random(20240331)
LIMIT = Fraction(10**20)
UNIT = Fraction(1, 10**12)


class FailureError(Exception):
    """A step has no value."""


Event = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of an expression: its text, and what it is worth for an event (None: null)."""

    text: str
    worth: Callable[[Event], Any]


def fixed(value: Fraction) -> Fraction:
    """Rounded to 12 decimals, half away from zero; a failure beyond 20 digits before the point."""
    rounded = half_away(value / UNIT) * UNIT
    if abs(rounded) >= LIMIT:
        raise FailureError("overflow")
    return rounded


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """Null of null."""
    return lambda *values: None if any(value is None for value in values) else function(*values)


def divided(one: Fraction, other: Fraction) -> Fraction:
    if other == 0:
        raise FailureError("division_by_zero")
    return fixed(one / other)


def applied(text: str, function: Callable[..., Any], *parts: Part) -> Part:
    def worth(event: Event) -> Any:
        values, failures = [], []
        for part in parts:
            try:
                values.append(part.worth(event))
            except FailureError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return function(*values)

    return Part(text.format(*(part.text for part in parts)), worth)


def chosen(condition: Part, then: Part, other: Part) -> Part:
    return Part(
        f"case when {condition.text} then {then.text} else {other.text} end",
        lambda event: then.worth(event) if condition.worth(event) else other.worth(event),
    )


def decided(word: str, one: Part, other: Part) -> Part:
    """And, or: decided by either side, even when the other has no value."""
    deciding = word == "or"

    def worth(event: Event) -> Any:
        values, failures = [], []
        for part in (one, other):
            try:
                values.append(part.worth(event))
            except FailureError as failure:
                failures.append(failure)
        if deciding in [value for value in values if value is not None]:
            return deciding
        if failures:
            raise failures[0]
        return None if None in values else not deciding

    return Part(f"({one.text} {word} {other.text})", worth)


def first_of(one: Part, other: Part) -> Part:
    def worth(event: Event) -> Any:
        value = one.worth(event)
        return other.worth(event) if value is None else value

    return Part(f"coalesce({one.text}, {other.text})", worth)


def read_number(text: str | None) -> Fraction | None:
    if text is None or not text.lstrip("-").replace(".", "", 1).isdigit() or text.startswith(".") or text.endswith("."):
        return None
    return Fraction(text)


def number(depth: int) -> Part:
    if depth == 0:
        return RANDOM.choice(
            [
                Part("value", lambda event: event["value"]),
                Part("timestamp", lambda event: event["timestamp"]),
                Part("cast(property('n') as decimal)", lambda event: read_number(event["properties"].get("n"))),
                Part("cast(property('t x') as decimal)", lambda event: read_number(event["properties"].get("t x"))),
                Part("0", lambda _: Fraction(0)),
                Part("2.5", lambda _: Fraction(5, 2)),
                Part("999999999999999", lambda _: Fraction(10**15 - 1)),
                Part("0.000000000001", lambda _: UNIT),
            ]
        )
    one, other = number(depth - 1), number(RANDOM.randint(0, depth - 1))
    places = RANDOM.randint(-3, 12)
    scale = Fraction(10) ** places
    return RANDOM.choice(
        [
            applied("({} + {})", strict(lambda a, b: fixed(a + b)), one, other),
            applied("({} - {})", strict(lambda a, b: fixed(a - b)), one, other),
            applied("({} * {})", strict(lambda a, b: fixed(a * b)), one, other),
            applied("({} / {})", strict(divided), one, other),
            applied("(-{})", strict(lambda a: -a), one),
            applied("abs({})", strict(abs), one),
            applied(f"round({{}}, {places})", strict(lambda a: fixed(half_away(a * scale) / scale)), one),
            applied(f"ceil({{}}, {places})", strict(lambda a: fixed((a * scale).__ceil__() / scale)), one),
            applied(f"floor({{}}, {places})", strict(lambda a: fixed((a * scale).__floor__() / scale)), one),
            applied("greatest({}, {})", lambda a, b: b if a is None else a if b is None else max(a, b), one, other),
            applied("least({}, {})", lambda a, b: b if a is None else a if b is None else min(a, b), one, other),
            first_of(one, other),
            chosen(condition(depth - 1), one, other),
        ]
    )


def condition(depth: int) -> Part:
    signs = {
        "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    }  # fmt: skip
    sign = RANDOM.choice(list(signs))
    one, other = number(RANDOM.randint(0, depth)), number(0)
    text = Part("property('t x')", lambda event: event["properties"].get("t x"))
    picks = [
        applied(f"{{}} {sign} {{}}", strict(signs[sign]), one, other),
        applied("({} is null)", lambda a: a is None, one),
        applied("({} is not null)", lambda a: a is not None, text),
        applied("{} = 'a''b'", strict(lambda a: a == "a'b"), text),
        applied("{} not in ('5', 'a''b')", strict(lambda a: a not in ("5", "a'b")), text),
        applied("{} || '!' = '5!'", strict(lambda a: a == "5"), text),
        applied("({} between 0 and 3)", strict(lambda a: 0 <= a <= 3), one),
    ]
    if depth:
        left, right = condition(depth - 1), condition(0)
        picks += [
            decided("and", left, right),
            decided("or", left, right),
            applied("(not {})", strict(lambda a: not a), left),
        ]
    return RANDOM.choice(picks)


def events(count: int) -> list[Event]:
    values = [None, "0", "1", "2", "-2", "3", "0.5", "-0.000000000001", "999999999999999", "123456.789012345678"]
    texts = [None, "5", "a'b", "", "-1.5", "x", "1e3", "99999999999999.9"]
    made = []
    for _ in range(count):
        value = RANDOM.choice(values)
        properties = {name: text for name in ("n", "t x") if (text := RANDOM.choice(texts)) is not None}
        seconds = Fraction(RANDOM.randint(0, 4 * 10**9))
        made.append({"value": value and Fraction(value), "timestamp": seconds, "properties": properties})
    return made


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    with warehouse.connect() as session:
        yield session


def test_random_programs_compute_what_sql_would(session: Session, warehouse: Warehouse) -> None:
    macros = load_macros(warehouse.kind)
    whole = macros["wide_integer"]()
    parts = [number(RANDOM.randint(0, 4)) for _ in range(150)]
    rows = events(25)
    session.execute(
        f"create temporary table steps (program_number bigint, step integer, operation varchar, left_step integer, "
        f"right_step integer, third_step integer, number_value {whole}, text_value varchar)"
    )
    steps = []
    last = {}
    for i, part in enumerate(parts):
        program = parse_aggregator(f"min({part.text})", None)[0]
        for place, step in enumerate(program.steps, start=program.first_step):
            left, right, third, *_ = (*step.operands, None, None, None)
            value = None if step.number is None else str(int(step.number * 10**12))
            steps.append((i, place, step.operation, left, right, third, value, step.text))
            last[i] = place
    session.insert(
        "steps",
        ["program_number", "step", "operation", "left_step", "right_step", "third_step", "number_value", "text_value"],
        steps,
    )
    session.execute(
        f"create temporary table given (event_number bigint, value {whole}, seconds {whole}, properties varchar)"
    )
    session.insert(
        "given",
        ["event_number", "value", "seconds", "properties"],
        [
            (
                j,
                None if event["value"] is None else str(int(event["value"] / UNIT)),
                str(int(event["timestamp"] / UNIT)),
                json.dumps(event["properties"]),
            )
            for j, event in enumerate(rows)
        ],
    )
    body = macros["run_steps"]("begun", "running", "steps", ["event_number"])
    got = session.rows(
        f"""
        with recursive begun as (
            select given.event_number, programs.program_number, 2 as step, properties,
                cast(array[value, seconds] as {whole}[]) as numbers,
                cast(array[null, null] as varchar[]) as texts, cast(array[null, null] as varchar[]) as failures
            from given cross join (select distinct program_number from steps) as programs
        ),
        running as ({body}),
        lasts as (select program_number, max(step) as step from steps group by program_number)
        select running.program_number, event_number, numbers[running.step], failures[running.step]
        from running inner join lasts on running.program_number = lasts.program_number and running.step = lasts.step
        """
    )
    assert len(got) == len(parts) * len(rows)
    failures = 0
    for i, j, value, failure in got:
        try:
            exact, failed = parts[i].worth(rows[j]), None
        except FailureError as error:
            exact, failed = None, str(error)
        failures += failed is not None
        assert (value is None) == (exact is None), (parts[i].text, rows[j], value, exact, failure, failed)
        assert value is None or int(value) * UNIT == exact, (parts[i].text, rows[j])
        assert failure == failed, (parts[i].text, rows[j])
    assert failures, "the random programs fail sometimes"
