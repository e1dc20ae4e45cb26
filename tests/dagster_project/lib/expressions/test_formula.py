"""Metrics' expressions: what is refused and where, what is computed, and that the bulk SQL computes the same."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.lib.expressions import (
    MACROS,
    EvaluationError,
    ExpressionError,
    FormulaSql,
    evaluate,
    parse_formula,
)

SECONDS = 1_709_640_000
PROPERTIES = {
    "value": "10.4", "units": "2", "n": "7", "third": "3", "zero": "0", "word": "gpu", "a b.c/~d": "5",
    "largest": "999999999999999.999999999999", "smallest": "0.000000000001", "padded": "007.50",
    "long": "1234567890123456", "fine": "0.0000000000001", "plus": "+5", "power": "1e3", "blank": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """The engine that computes in bulk."""
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(macro)
        yield connection


def in_bulk(engine: duckdb.DuckDBPyConnection, text: str, events: list[dict[str, str]]) -> list[str | None]:
    """The results of the SQL for events with these properties."""
    sql = FormulaSql(parse_formula(text))
    engine.execute("create or replace temp table events (i bigint, code varchar, seconds bigint, properties varchar)")
    engine.executemany(
        "insert into events values (?, ?, ?, ?)",
        [(i, "api", SECONDS, json.dumps(properties)) for i, properties in enumerate(events)],
    )
    rows = f"select i, code, seconds{sql.readings('properties')} from events"
    given_values = sql.reading_parameters()
    select = sql.select(rows, "i")
    got = dict(engine.execute(select, {**given_values, **sql.parameters}).fetchall())
    return [got[i] for i in range(len(events))]


def one_by_one(text: str, properties: dict[str, str]) -> str:
    formula = parse_formula(text)
    texts = {name: properties.get(name) for name in formula.properties()}
    return evaluate(formula, code="api", seconds=SECONDS, properties=texts)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("round(event.properties.value * event.properties.units)", "21"),  # 20.8
        ("event.properties.value + event.properties.units * 3 - 1", "15.4"),
        ("(event.properties.value + event.properties.units) * 3", "37.2"),
        ("10 - 4 - 3", "3"),
        ("24 / 4 / 3", "2"),
        ("-event.properties.units * -3", "6"),
        ("- - 2", "2"),
        ("2 * -3", "-6"),
        # thirds stay exact until the end: 7/3*3 is 7, and 2/3 is rounded once to 12 decimals
        ("event.properties.n / event.properties.third * 3", "7"),
        ("2 / event.properties.third", "0.666666666667"),
        ("-2 / event.properties.third", "-0.666666666667"),
        # half of the 12th decimal goes away from zero
        ("event.properties.smallest / 2", "0.000000000001"),
        ("-event.properties.smallest / 2", "-0.000000000001"),
        ("event.properties.smallest / 3", "0"),
        ("event.properties.smallest * event.properties.smallest * 1000000000000", "0.000000000001"),
        ("event.properties.largest - event.properties.largest + 1", "1"),
        # 40 digits on the way, which the engine's numbers cannot hold
        (
            "event.properties.largest * event.properties.largest / event.properties.largest",
            "999999999999999.999999999999",
        ),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(1.005, 2)", "1.01"),
        ("round(149, -2)", "100"),
        ("round(150, -2)", "200"),
        ("ceil(event.properties.value)", "11"),
        ("ceil(-10.4)", "-10"),
        ("floor(-10.4)", "-11"),
        ("ceil(10.401, 2)", "10.41"),
        ("floor(1234, -2)", "1200"),
        ("CEIL(1.2)", "2"),
        ("event.timestamp", "1709640000"),
        ("event.timestamp - 1709640000 + 0.5", "0.5"),
        ("event.properties['a b.c/~d'] * 2", "10"),
        ('event.properties["n"]', "7"),
        ("event.properties.padded", "007.50"),
        ("event.properties.padded + 0", "7.5"),
        ("event.properties.word", "gpu"),
        ("event.code", "api"),
        ("concat(event.code, '-', event.properties.word)", "api-gpu"),
        ('concat(\'it\'\'s \', event.properties.n / 2, " ""q""")', 'it\'s 3.5 "q"'),
        ("concat(event.properties.blank)", ""),
    ],
)
def test_an_expression_has_its_exact_value(engine: duckdb.DuckDBPyConnection, text: str, result: str) -> None:
    assert one_by_one(text, PROPERTIES) == result
    assert in_bulk(engine, text, [PROPERTIES]) in ([result], [None])


def test_the_bulk_computes_what_is_usual(engine: duckdb.DuckDBPyConnection) -> None:
    text = "round(event.properties.value * event.properties.units / 3, 2)"
    assert in_bulk(engine, text, [PROPERTIES, {"value": "1", "units": "-1"}]) == ["6.93", "-0.33"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("event.properties.absent * 2", "'absent' is missing, at character 1"),
        ("concat('a', event.properties.absent)", "'absent' is missing, at character 13"),
        ("1 + event.properties.word", "'word' is no number: 'gpu', at character 5"),
        ("1 + event.properties.blank", "'blank' is no number: '', at character 5"),
        ("1 + event.properties.plus", "no number"),
        ("1 + event.properties.power", "no number"),
        ("1 + event.properties.long", "more than 15 digits before or 12 after the point"),
        ("1 + event.properties.fine", "more than 15 digits before or 12 after the point"),
        ("1 / event.properties.zero", "division by zero, at character 3"),
        ("1 / (event.properties.n - 7)", "division by zero, at character 3"),
        ("0 / event.properties.zero", "division by zero"),
        ("event.properties.largest + 1", "the result has more than 15 digits before the point, at character 26"),
        ("event.properties.largest * event.properties.largest", "more than 15 digits before the point"),
        # rounding to 12 decimals lifts it over the limit
        ("event.properties.largest + event.properties.smallest / 2", "more than 15 digits before the point"),
    ],
)
def test_an_expression_fails_with_its_reason(engine: duckdb.DuckDBPyConnection, text: str, why: str) -> None:
    with pytest.raises(EvaluationError, match=why.replace("(", r"\(")):
        one_by_one(text, PROPERTIES)
    assert in_bulk(engine, text, [PROPERTIES]) == [None]


@pytest.mark.parametrize(
    ("text", "why", "position"),
    [
        ("", "a number, a text, a reading of the event or a function expected, not the end", 1),
        ("event.properties.a +", "not the end", 21),
        ("1 +* 2", r"not \*", 4),
        ("2 event.code", "an operator or the end expected, not event", 3),
        ("(1 + 2", r"\) expected", 7),
        ("a * 2", "write event.properties.a for a property", 1),
        ("event.propertis.a", "timestamp, code or properties expected", 7),
        ("event.properties", r"\. expected or \[ after event.properties", 17),
        ("event.properties.a.b", "event.properties", 19),
        ("event.properties['']", "the name of a property in quotes", 18),
        ("event.properties.'a'", "the name of a property expected", 18),
        ("'x' + 1", "a number expected, not a text", 1),
        ("2 * event.code", "a number expected, not a text", 5),
        ("round('x')", "a number expected, not a text", 7),
        ("concat('a') * 2", "a number expected, not a text", 1),
        ("round(1, event.properties.a)", "whole number from -15 to 12", 10),
        ("round(1, 13)", "whole number from -15 to 12", 10),
        ("round(1, 0.5)", "whole number from -15 to 12", 10),
        ("round(1, 2, 3)", "how many decimals", 13),
        ("sqrt(2)", "sqrt is not known", 1),
        ("'open", "the quote ' is not closed", 1),
        ("1.", "a number is digits", 1),
        (".5", "a number, a text", 1),
        ("1e3", "a number is digits", 1),
        ("1; drop table x", "; is no part of an expression", 2),
        ("1 -- 2 --", "not the end", 10),
        ("1234567890123456", "at most 15 digits before", 1),
        ("0.1234567890123", "12 after the point", 1),
        ("(" * 60 + "1" + ")" * 60, "50 levels", 52),
        ("1" + "+1" * 101, "100 operations", 202),
        ("1" + " " * 2000, "2000 characters", 2001),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, why: str, position: int) -> None:
    with pytest.raises(ExpressionError, match=why) as caught:
        parse_formula(text)
    assert caught.value.position == position
    assert str(caught.value).endswith(f"at character {position}")


def test_property_names_and_texts_are_values(engine: duckdb.DuckDBPyConnection) -> None:
    hostile = "x') from t; drop table events; --"
    quoted = hostile.replace("'", "''")
    text = f"concat(event.properties['{quoted}'], '{quoted}')"
    assert in_bulk(engine, text, [{hostile: "1"}]) == ["1" + hostile]
    assert engine.execute("select count(*) from events").fetchall() == [(1,)]


NUMBERS = st.sampled_from(
    ["0", "1", "2", "3", "7", "-5", "-0.5", "10.4", "2.500", "007", "0.000000000001", "999999999999999",
     "123456789012345.123456789012", "", "abc", "1e3"]
)  # fmt: skip
LEAVES = st.sampled_from(
    ["event.properties.a", "event.properties.b", "event.properties['c d']", "event.timestamp", "2", "0.5", "12.25"]
)


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    places = st.sampled_from(["", ", 0", ", 2", ", 12", ", -2"])
    return st.one_of(
        st.builds(lambda a, sign, b: f"({a} {sign} {b})", parts, st.sampled_from("+-*/"), parts),
        st.builds(lambda a: f"-{a}", parts),
        st.builds(lambda f, a, p: f"{f}({a}{p})", st.sampled_from(["round", "ceil", "floor"]), parts, places),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.recursive(LEAVES, _grown, max_leaves=8),
    events=st.lists(st.fixed_dictionaries({}, optional={"a": NUMBERS, "b": NUMBERS, "c d": NUMBERS}), min_size=1),
)
def test_the_bulk_computes_the_same_as_fractions(
    engine: duckdb.DuckDBPyConnection, text: str, events: list[dict[str, Any]]
) -> None:
    for properties, got in zip(events, in_bulk(engine, text, events), strict=True):
        try:
            exact: str | None = one_by_one(text, properties)
        except EvaluationError:
            exact = None
        assert got in (exact, None)
