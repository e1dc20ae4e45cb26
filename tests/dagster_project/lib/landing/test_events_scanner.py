"""The scanner of plain lines against the careful reading and against Python's json: what it takes, they take alike."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.lib.arrow import table_of
from dagster_project.lib.landing import events_plain, events_readers
from dagster_project.lib.landing.events_layouts import EventLayout
from dagster_project.lib.landing.events_parser import EventParser
from dagster_project.lib.landing.events_plain import PlainLines, code_table
from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.dagster_project.lib.landing.landings import Lander, file_source, line

LAYOUTS = (
    EventLayout("acme", "api", "n", ("region", "ünit"), True, False, 1),
    EventLayout("acme", "users", "n", (), False, True, 2),
    EventLayout("acme", "calls", None, ("a", "b", "n", "region"), False, False, 3),
)
QUANTITIES = {("acme", "api"): [("api", "n")]}
COLUMNS = (
    "organization_id, external_subscription_id, transaction_id, code, event_at, properties, key_hash, layout_id, quantity, "
    "item, is_remove, facets"
)
ORACLE = {"parse_float": Decimal, "parse_int": Decimal, "parse_constant": lambda token: 1 / 0}


class Reader:
    """Both ways of reading lines, in one DuckDB."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.parser = EventParser(self.connection, organizations=["acme"], quantities=QUANTITIES)
        self.lines = PlainLines()
        self.lines.start({"acme": code_table(LAYOUTS, ["formula"])})

    def scanned(self, texts: Sequence[bytes]) -> tuple[dict[int, tuple[Any, ...]], dict[int, str]]:
        """The rows of the plain lines, and the texts of what is left, by line number."""
        self.parser.start({1: "acme"}, layouts=LAYOUTS)
        self.lines.clear()
        data = b"".join(text + b"\n" for text in texts)
        scanned, number, left = self.lines.add(memoryview(data), 1, file_id=1, organization_id="acme")
        assert (scanned, number) == (len(data), data.count(b"\n") + 1)
        self.connection.register("lines", self.lines.table())
        hashed = "landing_key_hash(organization_id, external_subscription_id, transaction_id) as key_hash"
        columns = COLUMNS.replace("key_hash", hashed)
        rows = self.connection.execute(f"select line_number, {columns} from lines").fetchall()
        self.connection.unregister("lines")
        kept = [row for batch in left for row in batch.to_pylist()]
        return {row[0]: row[1:] for row in rows}, {row["line_number"]: row["line"] for row in kept}

    def careful(self, texts: dict[int, str]) -> dict[int, tuple[Any, ...]]:
        """The rows of lines that are no bytes any more, as they are read without the scanner."""
        self.parser.start({1: "acme"}, layouts=LAYOUTS)
        rows = [(1, "acme", number, text + "\n", None) for number, text in texts.items()]
        batches = table_of(rows, events_readers.FILE_LINES).to_batches()
        self.parser.read(events_readers.FILE_LINES, iter(batches), select=events_readers.PLAIN)
        self.parser.judge_doubtful()
        found = self.connection.execute(f"select line_number, {COLUMNS} from landing_extracted").fetchall()
        return {row[0]: row[1:] for row in found}


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.connection.close()


def event_of(**fields: str) -> str:
    """A line from the JSON texts of its fields."""
    base = {
        "transaction_id": '"t1"',
        "external_subscription_id": '"sub_000000001"',
        "code": '"api"',
        "timestamp": '"2024-03-05T12:00:00Z"',
        "properties": '{"n":"10","region":"eu"}',
    } | fields
    return "{" + ",".join(f'"{name}":{value}' for name, value in base.items() if value) + "}"


NUMBERS = (
    "0", "-0", "7", "-7", "00012", "1.50", "0.10", "0.0", "-0.0", "5.00", "1e3", "1E400", "0.000001", "0.0000001", "-0.00000123",
    "123456789012", "1234567890123", "12345678901234567", "1234567.12345678", "12345678.5", "0.12345678", "0.123456789",
    "349.490", "+1", ".5", "1.", "NaN", "Infinity", "0x10",
)  # fmt: skip
TEXTS = (
    '"10"', '"-0.5"', '"000000000000000001.5"', '"123456789012345"', '"1234567890123456"', '"0.1234567890123"',
    '"0.1230000000000000"', '""', '"a b"', '"naïve 🦊"', '"\\u0041"', '"\\ud800"', '"\\u0000"', '"a\\"b"', '"4111111111111111x"',
    '"remove"', '"tab\t"', '"1\n2"', '"\x7f"', '"5."', '"-"', '"999999999999999.999999999999"', '"-999999999999999.999999999999"',
)  # fmt: skip
WORDS = ("true", "false", "null", "nul", "True", "[1]", '{"a":1}', "", "[]")
MOMENTS = (
    '"2024-03-05T12:00:00Z"', '"2024-02-29T23:59:59.999999999Z"', '"2023-02-29T00:00:00Z"', '"2100-02-29T00:00:00Z"',
    '"1970-01-01T00:00:00Z"', '"1969-12-31T23:59:59Z"', '"1970-01-01T00:30:00+01:00"', '"2199-12-31T23:59:59.9Z"',
    '"2200-01-01T00:00:00Z"', '"2199-12-31T23:30:00-01:00"', '"2024-03-05T24:00:00Z"', '"2024-03-05T12:00:60Z"',
    '"2024-03-05T12:00:00"', '"2024-03-05 12:00:00Z"', '"2024-03-05T12:00:00.Z"', '"2024-03-05T12:00:00.5+02:00"',
    '"2024-03-05T12:00:00.123456+05:45"', '"2024-03-05T12:00:00-14:00"', '"2024-03-05T12:00:00+15:00"', '"2024-13-05T12:00:00Z"',
    '"2024-00-05T12:00:00Z"', '"2024-03-00T12:00:00Z"', '"2024-03-05T12:00:00z"', '"2024-03-05T12:00:00Zx"', '"1709640000"',
    "1709640000", "1709640000.5", "1709640000.123456", "1709640000.1234567", "0", "-1", "7258118399.999999", "7258118400", "00",
    "17096400000", "1709640000.", "1e9", "null",
)  # fmt: skip
IDS = (
    '"t1"',
    '"12"',
    "12",
    '""',
    '"ü"',
    '"a\\u0041"',
    '"id with blanks"',
    "null",
    '"' + "x" * 990 + '"',
    '"nan"',
    "1.0",
    '"t\x00"',
)
values = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(WORDS), st.integers().map(str))
texts_of_json = st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False))
keys = (
    st.sampled_from(['"n"', '"region"', '"ünit"', '"a"', '"operation_type"', '""', '"é"', '"k\\u0031"']) | texts_of_json
)
blanks = st.sampled_from(["", "", "", " ", "  ", "\t", "\r"])


@st.composite
def objects(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(keys, values | texts_of_json), max_size=5))
    blank, comma, colon = (draw(blanks) for _ in range(3))
    inner = f",{comma}".join(f"{key}:{colon}{value}" for key, value in pairs)
    return "{" + blank + inner + draw(st.sampled_from(["", "", "", ","])) + blank + "}"


@st.composite
def event_lines(draw: st.DrawFn) -> bytes:
    """Lines that are events, nearly, or not at all."""
    plain = {
        "transaction_id": draw(st.sampled_from(IDS[:2]) | st.sampled_from(IDS)),
        "external_subscription_id": draw(st.sampled_from(IDS[:2]) | st.sampled_from(IDS)),
        "code": draw(st.sampled_from(['"api"', '"users"', '"calls"', '"other"', '"formula"', '""', "5"])),
        "timestamp": draw(st.sampled_from(MOMENTS)),
        "properties": draw(objects() | st.sampled_from(WORDS)),
    }
    names = draw(st.permutations(list(plain)) | st.just(list(plain)))
    pairs = [(f'"{name}"', plain[name]) for name in names]
    accident = draw(st.integers(0, 12))
    if accident == 0:
        pairs.append(draw(st.sampled_from(pairs)))
    elif accident == 1:
        pairs.pop(draw(st.integers(0, 4)))
    elif accident == 2:
        pairs.append(('"organization_id"', draw(st.sampled_from(['"acme"', '"other"']))))
    elif accident == 3:
        pairs.insert(0, draw(st.tuples(keys, values)))
    blank, colon, comma = (draw(blanks) for _ in range(3))
    text = blank + "{" + blank + f",{comma}".join(f"{key}{blank}:{colon}{value}" for key, value in pairs) + blank + "}"
    encoded = (text + draw(st.sampled_from(["", "", "", "\r", " ", ",", "\r\r", "}"]))).encode()
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(0, len(encoded)))
        put = draw(
            st.sampled_from(
                [b"", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"', b"\\", b"{", b"\n"]
            )
        )
        encoded = encoded[:place] + put + encoded[place + draw(st.integers(0, 2)) :]
    return encoded


def compare(reader: Reader, lines: Sequence[bytes]) -> dict[int, tuple[Any, ...]]:
    """Assert of all lines that they are read alike, and that none is lost; what was scanned."""
    rows, left = reader.scanned(lines)
    whole = dict(enumerate(b"\n".join(lines).split(b"\n"), 1))
    filled = {number for number, text in whole.items() if text not in (b"", b"\r")}
    assert rows.keys() | left.keys() == filled
    assert not rows.keys() & left.keys()
    for number, text in left.items():
        if "\ufffd" not in text:
            assert text.rstrip("\n") == whole[number].decode()
    careful = reader.careful({number: whole[number].decode() for number in rows})
    assert rows == careful
    for number, row in rows.items():
        check_by_json(whole[number].decode(), row)
    return rows


def check_by_json(text: str, row: tuple[Any, ...]) -> None:
    pairs = json.loads(text, object_pairs_hook=list, **ORACLE)
    event = dict(pairs)
    assert len(event) == len(pairs) == 5
    assert (row[2], row[1], row[3]) == (event["transaction_id"], event["external_subscription_id"], event["code"])
    moment = event["timestamp"]
    if isinstance(moment, str):
        instant = datetime.fromisoformat(moment).astimezone(UTC)
    else:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment * 1_000_000))
    assert row[4] == instant.replace(tzinfo=None)
    properties = event["properties"]
    assert len(dict(properties)) == len(properties)
    assert json.loads(row[5], object_pairs_hook=list, **ORACLE) == properties


@given(st.lists(event_lines(), min_size=1, max_size=30))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_what_is_scanned_is_read_alike_with_care(reader: Reader, lines: list[bytes]) -> None:
    compare(reader, lines)


def test_every_value_alone_is_read_alike(reader: Reader) -> None:
    lines = [event_of(timestamp=moment) for moment in MOMENTS]
    for value in (*NUMBERS, *TEXTS, *WORDS):
        for code in ("api", "users", "calls", "other"):
            lines.append(event_of(code=f'"{code}"', properties=f'{{"n":{value},"operation_type":"remove"}}'))
            lines.append(event_of(code=f'"{code}"', properties=f'{{"region":{value} , "operation_type":{value}}}'))
    lines += [event_of(transaction_id=id_) for id_ in IDS] + [event_of(external_subscription_id=id_) for id_ in IDS]
    encoded = [text.replace("\n", "\\n").encode() for text in lines]
    rows = compare(reader, encoded)
    assert len(rows) > 200


def test_what_producers_write_is_plain(reader: Reader) -> None:
    written = json.loads(event_of())
    lines = [
        json.dumps(written),
        json.dumps(written, separators=(",", ":")),
        json.dumps(written, sort_keys=True),
        event_of(timestamp="1709640000.123456"),
        event_of(timestamp='"2024-03-05T12:00:00.123456+02:00"'),
        event_of(properties='{"n":349.490,"url":"https://example.org/ü","ok":true,"none":null}'),
        event_of(code='"unknown"', properties="{}"),
        event_of(properties='{"card":"4111-1111-1111-1111","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}') + "\r",
    ]
    rows, left = reader.scanned([text.encode() for text in lines])
    assert (sorted(rows), left) == (list(range(1, len(lines) + 1)), {})
    assert rows[6][5] == '{"n":349.49,"url":"https://example.org/ü","ok":true,"none":null}'
    assert [rows[number][7:] for number in (1, 6, 7)] == [
        (1, Decimal(10), None, None, '["eu",null]'),
        (1, Decimal("349.49"), None, None, "[null,null]"),
        (None, None, None, None, None),
    ]


def test_doubtful_lines_are_left(reader: Reader) -> None:
    lines = [
        event_of(code='"formula"'),
        event_of(properties='{"n":1,"n":2}'),
        event_of(properties='{"n":{"a":1}}'),
        event_of(properties='{"n":0.1234567890123456789}'),
        event_of(properties='{"n":1,}'),
        event_of(properties='{"n":"a\\u0062"}'),
        event_of() + "x",
        event_of()[:-1],
        event_of(properties='{"n":"' + "x" * 1000 + '"}'),
    ]
    rows, left = reader.scanned([text.encode() for text in lines])
    assert (rows, list(left)) == ({}, list(range(1, len(lines) + 1)))


@pytest.mark.parametrize("rows_count", [1, 3, 1000])
def test_a_landing_is_the_same_without_the_scanner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_count: int
) -> None:
    good = [line(f"t{i}", properties={"n": str(i)}) for i in range(40)]
    again = [line("t3", properties={"n": "3"}), line("t4", properties={"n": "other"}), line("t5", code="b")]
    odd = ["", "\r", "  ", "{}", "nothing", line("t6") + "\0", line("t7")[:-1], line("t41", properties={"a": {"b": 1}})]
    # the first line of its id needs care, a later one does not; and the other way round
    mixed = [
        line("t50", extra=1),
        line("t50"),
        line("t51", properties={"a": [1]}),
        line("t51"),
        line("t52"),
        line("t52", code="c"),
    ]
    files: list[list[str]] = [good + again + odd, [*mixed, *good[:5], *odd], [*reversed(good), line("t53")]]
    first = [*(text.encode() for text in files[0]), line("t60").encode() + b"\xff", b'"' + b"x" * (1 << 20) + b'"']
    contents = [b"\xef\xbb\xbf" + b"\n".join(first), "\r\n".join(files[1]).encode(), "\n".join(files[2]).encode()]
    held = []
    monkeypatch.setattr(events_readers, "SCANNED_BYTES", 0)
    monkeypatch.setattr(events_plain, "_ROWS", rows_count)
    for name in ("with", "without"):
        if name == "without":
            # as where it cannot be compiled
            monkeypatch.setitem(sys.modules, events_plain.__name__, None)
        warehouse = DuckDBWarehouse(tmp_path / f"{name}.duckdb")
        warehouse.create_raw_tables()
        lander = Lander(warehouse, tmp_path / "events")
        paths = [lander.write(f"{place}.jsonl", content) for place, content in enumerate(contents)]
        landed = [lander.land(file_source(*paths[:2])), lander.land(file_source(paths[2]))]
        held.append((landed, lander.everything()))
    assert held[0] == held[1]
    assert len(held[0][1]["usage_events"]) == 45
