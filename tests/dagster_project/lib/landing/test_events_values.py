"""Times, numbers and amounts of events: what is taken, how it is kept, what is refused."""

import json
from decimal import Decimal

import pytest

from dagster_project.lib.event_judge import EventJudge, Refusal
from tests.dagster_project.lib.landing.landings import Lander, event, line

JUDGE = EventJudge(frozenset({"acme"}), {})

TIMES = (
    ('"2024-03-05T12:00:00Z"', "2024-03-05 12:00:00"),
    ('"2024-03-05T12:00:00.5+02:00"', "2024-03-05 10:00:00.5"),
    ('"2024-03-05 12:00:00-05:30"', "2024-03-05 17:30:00"),
    ('"2024-03-05t12:00:00z"', "2024-03-05 12:00:00"),
    ('"2024-02-29T23:59:59.9999999Z"', "2024-02-29 23:59:59.999999"),
    ('"2024-03-05T12:00:00.123456789123Z"', "2024-03-05 12:00:00.123456"),
    ('"2024-12-31T23:59:59.1234569+14:00"', "2024-12-31 09:59:59.123456"),
    ("1709640000", "2024-03-05 12:00:00"),
    ("1709640000.5", "2024-03-05 12:00:00.5"),
    ("1709640000.500", "2024-03-05 12:00:00.5"),
    ("1709640000.123456", "2024-03-05 12:00:00.123456"),
    ("1709640000.1234569", "2024-03-05 12:00:00.123456"),
    ("1709640000.9999999", "2024-03-05 12:00:00.999999"),
    ('"1709640000.1234569"', "2024-03-05 12:00:00.123456"),
    ("0", "1970-01-01 00:00:00"),
    ('"2199-12-31T23:59:59.999999Z"', "2199-12-31 23:59:59.999999"),
)
BAD_TIMES = (
    ('"2024-03-05T12:00:00"', "timestamp_without_offset"),
    ('"2024-03-05"', "invalid_timestamp"),
    ('"2024-02-30T12:00:00Z"', "invalid_timestamp"),
    ('"2024-03-05T24:00:00Z"', "invalid_timestamp"),
    ('"2024-03-05T12:00:00.Z"', "invalid_timestamp"),
    ('"2024-03-05T12:00:0.Z"', "invalid_timestamp"),
    ('"2024-03-05T\\t2:00:00Z"', "invalid_timestamp"),
    ('"2024-03-05T12:00:60Z"', "invalid_timestamp"),
    ('"2024-03-05 12:00:00 Europe/Paris"', "invalid_timestamp"),
    ('"2024-03-05T12:00:00 NZ"', "invalid_timestamp"),
    ('"infinity"', "invalid_timestamp"),
    ('"now"', "invalid_timestamp"),
    ("1e9", "invalid_timestamp"),
    ("true", "invalid_timestamp"),
    ("1709640000000", "timestamp_out_of_range"),
    ("-1", "timestamp_out_of_range"),
    ('"1969-12-31T23:59:59Z"', "timestamp_out_of_range"),
    ('"2200-01-01T00:00:00Z"', "timestamp_out_of_range"),
    ('"1970-01-01T00:30:00+01:00"', "timestamp_out_of_range"),
    ('""', "missing_field"),
    ("null", "missing_field"),
)
# as sent, as kept: None where it is refused
NUMBERS = (
    ("0", "0"),
    ("10", "10"),
    ("-10", "-10"),
    ("123456789012345678", "123456789012345678"),
    ("1234567890123456789", '"1234567890123456789"'),
    ("1.5", "1.5"),
    ("-1.5", "-1.5"),
    ("0.000001", "0.000001"),
    ("0.0000001", '"0.0000001"'),
    ("-0.00000012", '"-0.00000012"'),
    ("1e2", "100"),
    ("1.5E3", "1500"),
    ("1e14", "100000000000000"),
    ("1e15", '"1000000000000000"'),
    ("1e-2", "0.01"),
    ("1e-12", '"0.000000000001"'),
    ("1e-13", '"0.0000000000001"'),
    ("0e5", "0"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("123456789012.345", "123456789012.345"),
    ("1234567890.123456", '"1234567890.123456"'),
    ("0.123456789012345", "0.123456789012345"),
    ("0.1234567890123456", '"0.1234567890123456"'),
    ("0.30000000000000004", '"0.30000000000000004"'),
    ("-12345678901234567.890", '"-12345678901234567.89"'),
    ("12.0000001", "12.0000001"),
    ("1.50", "1.5"),
    ("1e400", None),
    ("1e-400", None),
    ("1e999999999", None),
    ("9" * 400, f'"{"9" * 400}"'),
    ("9" * 401, None),
)


def _with(name: str, value: str, transaction_id: str) -> str:
    """A good event with the raw JSON text of one field."""
    fields = event(transaction_id) | {name: "@"}
    return json.dumps(fields, separators=(",", ":")).replace('"@"', value)


def test_times_are_cut_to_microseconds_in_utc(lander: Lander) -> None:
    lander.land_lines(*(_with("timestamp", text, f"t{i:02}") for i, (text, _) in enumerate(TIMES)))
    assert lander.reasons() == []
    assert lander.rows("cast(event_at as varchar)") == [(expected,) for _, expected in TIMES]


def test_received_at_is_read_like_a_timestamp(lander: Lander) -> None:
    lander.land_lines(*(_with("received_at", text, f"t{i:02}") for i, (text, _) in enumerate(TIMES)))
    assert lander.reasons() == []
    assert lander.rows("cast(received_at as varchar)") == [(expected,) for _, expected in TIMES]


def test_times_that_are_no_instants_are_refused(lander: Lander) -> None:
    lander.land_lines(*(_with("timestamp", text, f"t{i:02}") for i, (text, _) in enumerate(BAD_TIMES)))
    assert lander.reasons() == [(i, code) for i, (_, code) in enumerate(BAD_TIMES, start=1)]


def test_numbers_keep_their_value_or_are_refused(lander: Lander) -> None:
    lines = [line(f"t{i:02}").replace('"10"', sent) for i, (sent, _) in enumerate(NUMBERS)]
    lander.land_lines(*lines)
    kept = {f"t{i:02}": f'{{"n":{text}}}' for i, (_, text) in enumerate(NUMBERS) if text is not None}
    assert lander.properties() == kept
    assert {code for _, code in lander.reasons()} == {"number_out_of_range"}
    for i, (sent, text) in enumerate(NUMBERS):
        if text is not None:
            value = Decimal(json.loads(kept[f"t{i:02}"], parse_float=Decimal)["n"])
            assert value == Decimal(sent)


def test_the_place_and_the_blanks_around_a_number_do_not_matter(lander: Lander) -> None:
    """Bulk reading and judging one by one must agree; blanks, lists and spare fields change who reads."""
    shapes = ('{"n":@}', '{"n": @ }', '{"n":@,"m":"x"}', '{ "m" : "é" , "n" : @}', '{"n":[@]}', '{"n":{"a":@}}')
    lander.land_lines(
        *(
            _with("properties", shape.replace("@", sent), f"{i}/{k}")
            for i, (sent, _) in enumerate(NUMBERS)
            for k, shape in enumerate(shapes)
        )
    )
    compact = [shape.replace(" ", "") for shape in shapes]
    assert lander.properties() == {
        f"{i}/{k}": shape.replace("@", kept)
        for i, (_, kept) in enumerate(NUMBERS)
        for k, shape in enumerate(compact)
        if kept is not None
    }


def test_precise_amounts_are_exact(lander: Lander) -> None:
    amounts = (
        ('"12.5"', "12.500000000000"),
        ("12", "12.000000000000"),
        ("12.5", "12.500000000000"),
        ("-3", "-3.000000000000"),
        ('"' + "9" * 15 + "." + "9" * 12 + '"', "9" * 15 + "." + "9" * 12),
        ("123456789012345.123456789012", "123456789012345.123456789012"),
        ("null", None),
    )
    too_large = ('"' + "9" * 16 + '"', "1000000000000000", '"1.0000000000001"')
    sent = [sent for sent, _ in amounts] + list(too_large)
    lander.land_lines(*(_with("precise_total_amount_cents", text, f"t{i}") for i, text in enumerate(sent)))
    assert [reason for _, reason in lander.reasons()] == ["invalid_amount"] * 3
    assert lander.rows("cast(precise_total_amount_cents as varchar)") == [(kept,) for _, kept in amounts]


def test_the_judge_writes_what_the_bulk_reading_takes_unchanged() -> None:
    text = JUDGE.rewritten(line("t1", timestamp=1709640000, properties={"a": [1, {"b": None}]}), None, "acme")
    assert text is not None
    assert JUDGE.rewritten(text, None, None) == text


def test_a_refusal_names_the_nearest_field() -> None:
    with pytest.raises(Refusal, match="timestamp is the nearest") as caught:
        JUDGE.rewritten(line("t1", timestmp=1), None, "acme")
    assert caught.value.code == "unknown_field"


def test_an_event_without_organisation_needs_a_default_where_there_are_two() -> None:
    judge = EventJudge(frozenset({"acme", "other"}), {})
    with pytest.raises(Refusal, match=r"sources\.yaml") as caught:
        judge.rewritten(line(), None, None)
    assert caught.value.code == "missing_organization"
