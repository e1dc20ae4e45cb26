"""Metrics' expressions at landing: the property that they set, the version in force, the events that they refuse."""

import json
from collections.abc import Sequence

import pytest

from tests.dagster_project.lib.landing.landings import Lander, counts, event, line

ALWAYS = "0001-01-01 00:00:00"


def metric(
    lander: Lander,
    expression: str | None,
    *,
    code: str = "api",
    field: str = "n",
    event_code: str = "api",
    effective_at: str = ALWAYS,
    batch_id: int = 1,
) -> None:
    """A version of a metric in the warehouse."""
    names = ("organization_id", "billable_metric_code", "effective_at", "event_code", "aggregation_type",
             "field_name", "expression", "batch_id")  # fmt: skip
    row = ("acme", code, effective_at, event_code, "sum_agg", field, expression, batch_id)
    with lander.warehouse.connect() as session:
        session.insert(f"{session.schema('raw')}.billable_metrics", names, [row])


def properties(lander: Lander) -> dict[str, dict[str, object]]:
    return {key: json.loads(text) for key, text in lander.properties().items()}


def quarantine(lander: Lander) -> Sequence[tuple[object, ...]]:
    return lander.rows("line_number, reason_code, reason, raw_text", "quarantined_events")


def test_the_result_replaces_the_field(lander: Lander) -> None:
    metric(lander, "round(event.properties.value * event.properties.units)")
    sent = {"n": "5", "value": "10.4", "units": 2, "kept": {"a": None, "b": [1.5, "x"]}, "none": None}
    lander.land_lines(line("t1", properties=sent), line("t2", code="other", properties=sent))
    assert properties(lander) == {"t1": sent | {"n": "21"}, "t2": sent}


def test_each_metric_of_an_event_sets_its_own_field_from_what_was_sent(lander: Lander) -> None:
    metric(lander, "event.properties.a + 1", code="one", field="a")
    metric(lander, "event.properties.a * 10", code="two", field="b.c ~/\"'")
    metric(lander, None, code="three", field="a")
    lander.land_lines(line(properties={"a": "1"}))
    assert properties(lander) == {"t1": {"a": "2", "b.c ~/\"'": "10"}}


def test_an_event_that_fails_is_refused_with_the_reason_and_stops_no_other(lander: Lander) -> None:
    metric(lander, "event.properties.value / event.properties.units")
    lines = [
        line("t1", properties={"value": "1", "units": "0"}),
        line("t2", properties={"value": "1", "units": "4"}),
        line("t3", properties={"units": "4"}),
        # taken by the careful reading: its text is kept as it was sent
        json.dumps(event("t4", properties={"value": "1e3", "units": 3}), indent=None, separators=(" , ", " : ")),
    ]
    [file] = lander.land_lines(*lines)
    assert counts(file) == (4, 1, 0, 0, 3)
    assert properties(lander) == {"t2": {"value": "1", "units": "4", "n": "0.25"}}
    text = "'event.properties.value / event.properties.units'"
    fails = "the expression of the metric api has no value: "
    assert quarantine(lander) == [
        (1, "expression_failed", f"{fails}division by zero, at character 24 of {text}.", lines[0]),
        (3, "expression_failed", f"{fails}the property 'value' is missing, at character 1 of {text}.", lines[2]),
        (
            4,
            "expression_failed",
            f"{fails}the property 'value' is no number: '1e3', at character 1 of {text}.",
            lines[3],
        ),
    ]


def test_the_version_in_force_at_the_event_decides(lander: Lander) -> None:
    metric(lander, "event.properties.v * 2")
    metric(lander, "event.properties.v * 3", effective_at="2024-03-01 00:00:00")
    metric(lander, None, effective_at="2024-04-01 00:00:00")
    # a newer landing of the version of March
    metric(lander, "event.properties.v * 5", effective_at="2024-03-01 00:00:00", batch_id=2)
    times = ("2024-02-29T23:59:59.999999Z", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z")
    lander.land_lines(*(line(f"t{i}", timestamp=at, properties={"v": "1"}) for i, at in enumerate(times)))
    assert [found.get("n") for found in properties(lander).values()] == ["2", "5", None]


def test_the_timestamp_is_in_whole_seconds(lander: Lander) -> None:
    metric(lander, "event.timestamp")
    lander.land_lines(line(timestamp="2024-03-05T12:00:00.999999Z"), line("t2", timestamp="1970-01-01T00:00:00.5Z"))
    assert [found["n"] for found in properties(lander).values()] == ["1709640000", "0"]


def test_a_computed_field_may_hold_anything_before(lander: Lander) -> None:
    """The digits of a value that is replaced are nobody's concern."""
    metric(lander, "event.properties.v")
    [file] = lander.land_lines(line(properties={"n": "1" * 40, "v": "1"}))
    assert counts(file) == (1, 1, 0, 0, 0)


def test_a_repeat_is_known_by_what_was_sent(lander: Lander) -> None:
    metric(lander, "event.properties.v * 2")
    [file] = lander.land_lines(
        line(properties={"v": "1", "k": "a"}),
        line(properties={"k": "a", "v": "1"}),
        line(properties={"v": "2", "k": "a"}),
    )
    assert counts(file) == (3, 1, 1, 1, 0)


def test_many_events_that_only_fractions_can_compute(lander: Lander) -> None:
    metric(lander, "event.properties.v * event.properties.v / event.properties.v")
    value = "999999999999999.999999999999"
    lander.land_lines(*(line(f"t{i}", properties={"v": value}) for i in range(2500)))
    assert set(lander.rows("properties")) == {(json.dumps({"v": value, "n": value}, separators=(",", ":")),)}
    assert len(lander.rows("line_number")) == 2500


@pytest.mark.postgres
def test_both_engines_hold_the_same(both_landers: list[Lander]) -> None:
    for lander in both_landers:
        metric(lander, "concat(event.code, '-', round(event.properties.v, 2))")
        lander.land_lines(
            line("t1", properties={"v": "2.345", "n": 1.50, "o": 0.000001}), line("t2", properties={"v": "é"})
        )
    first, second = (lander.everything() for lander in both_landers)
    assert first == second
