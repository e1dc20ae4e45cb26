"""The bulk reading against the careful one: of thousands of broken lines, what is read in bulk is read alike one by one."""

import random

import duckdb

from dagster_project.lib.arrow import table_of
from dagster_project.lib.event_judge import EventJudge
from dagster_project.lib.landing.events_lines import LINES
from dagster_project.lib.landing.events_sql import statement, statements

LINES_COUNT = 6000
GOOD = (
    '{"transaction_id":"a1b2","external_subscription_id":"sub_1","code":"api","timestamp":"2026-01-01T00:00:00.054Z",'
    '"properties":{"count":"6","tier":"silver","n":12.5}}',
    '{"transaction_id":"a1b2","external_subscription_id":"sub_1","code":"api","timestamp":1767225600.125,'
    '"properties":{"gb":349.490,"region":"ap"}}',
    '{"transaction_id": "a1b2", "external_subscription_id": "sub_1", "code": "api", '
    '"timestamp": "2026-01-01T02:00:00+02:00", "properties": {"gb": 3, "x": null}}',
    '{"code":"api","transaction_id":"12","received_at":"2026-01-01T00:00:00Z","external_subscription_id":"sub_1",'
    '"timestamp":"2026-01-01T00:00:00Z","properties":{},"organization_id":"acme","precise_total_amount_cents":"2.25"}',
)
PIECES = (
    '"', "\\", "\\u0041", "\\u0000", ",", "{", "}", "[", "]", ":", "1", "0", ".5", "e5", "E-3", "-", "null", "true", " ",
    '"x":1,', '"code":"b",', '"transaction_id":"zz",', '"received_at":null,', '"timestamp":5,', "é", "nan", "Infinity",
    "12345678901234567890", "0.10", "T24", "1e3", '"properties":{},', '"n":1,', '"tier":"t",', "}}", "\r",
)  # fmt: skip
VALUES = (
    "1", "0.1", "1.50", "1e2", '"7"', '""', "null", '"1e5"', "12345678901234567", "0.12345678901234567", "-0", "-0.0",
    '{"a":1.5}', "[1.10]", "true", '"2026-01-01T24:00:00Z"', '"2026-01-01 00:00:00Z"', "1767225600",
)  # fmt: skip


def mutated(chance: random.Random) -> str:
    """A good line with one to three accidents: something put in, cut out, or in the place of a value."""
    text = chance.choice(GOOD)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place, kind = chance.randrange(len(text) + 1), chance.random()
        if kind < 0.4:
            text = text[:place] + chance.choice(PIECES) + text[place:]
        elif kind < 0.6:
            text = text[:place] + text[place + chance.choice((1, 1, 2, 5)) :]
        else:
            colon = text.find(":", place)
            ends = [end for end in (text.find(",", colon), text.find("}", colon)) if end > 0]
            if colon > 0 and ends:
                text = text[: colon + 1] + chance.choice(VALUES) + text[min(ends) :]
    return text + chance.choice(("\n", "\n", "\r\n", ""))


def read_in_bulk(lines: dict[int, str]) -> dict[int, tuple[object, ...]]:
    """What the bulk reading takes without a doubt, by line number."""
    parsed = statement(
        "events_parse",
        lines="(select 1 as file_id, *, null::varchar as raw, 'acme' as default_organization_id from numbered)",
        is_doubtful="is_in_doubt",
        is_kept="false",
        too_long_quantity="false",
    )
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for macro in statements("events_macros"):
            connection.execute(macro)
        connection.execute("set variable landing_organizations = ['acme']")
        connection.register("numbered", table_of([(n, text, None) for n, text in lines.items()], LINES))
        rows = connection.execute(
            "select line_number, transaction_id, external_subscription_id, code, event_at, received_at, properties, "
            f"precise_total_amount_cents from ({parsed}) where not is_doubtful"
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


def test_what_is_read_in_bulk_is_read_alike_one_by_one() -> None:
    chance = random.Random(20261128)
    lines = {number: mutated(chance) for number in range(LINES_COUNT)}
    taken = read_in_bulk(lines)
    judge = EventJudge({"acme"}, {})
    # raises Refusal for a line that should not have been taken
    written = {number: judge.rewritten(lines[number], None, "acme") or "" for number in taken}
    again = read_in_bulk(written)
    assert {n: lines[n] for n in taken if taken[n] != again.get(n)} == {}
    assert len(taken) > LINES_COUNT / 20
