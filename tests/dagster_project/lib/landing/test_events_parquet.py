"""Parquet through the scanner against Parquet read with care alone: the same rows, wherever a row lies and whatever it holds."""

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.lib.landing import events_plain, events_readers
from dagster_project.lib.landing.events_lines import LINES, JoinedLines, joined, lines_of_pieces
from dagster_project.lib.landing.events_parser import EventParser
from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.dagster_project.lib.landing.landings import FATES, Lander, counts, file_source, line

# what befalls ten rows of five thousand each, by their remainder of 500; the others are plain
TEXTS = """
    select
        case remainder when 15 then null when 16 then '' when 17 then 't0' when 19 then e'a\\n"b\\\\' || i else 't' || k end
            as transaction_id,
        case when remainder = 20 then null else 's' end as external_subscription_id,
        case when remainder = 21 then 'ünit 🦊' else 'api' end as code,
        case when remainder = 22 then 'never' else strftime(timestamp '2024-03-05' + to_seconds(k), '%Y-%m-%dT%H:%M:%SZ') end
            as timestamp,
        case remainder
            when 7 then e'{\\n  "n": 1,\\n  "b": "x"\\n}'
            when 8 then null
            when 9 then 'nothing'
            when 10 then '{"n":"' || repeat('ü', 3000) || '"}'
            when 11 then '{"n":1e400}'
            when 12 then e'{"n":"\\\\u0000"}'
            when 13 then '{"n":1,"n":2}'
            when 14 then ' { "n" : 1 , } '
            when 23 then e'{"n":1}\\n{"n":2}'
            when 24 then '[1]'
            when 25 then '{"n":"' || repeat('x', 1100000) || '"}'
            when 26 then '{"n":1.50,"a":[{"b":null}]}'
            when 27 then ''
            when 28 then '{}'
            when 29 then ' {"n":"2"}'
            else '{"n":' || k || ',"region":"eu"}'
        end as properties
    from (select i, i % 500 as remainder, case when i % 500 = 18 then i + 32 else i end as k from range(5000) as numbers(i))
"""
# of these remainders: what has no transaction, subscription or moment, or properties that are no object or cannot be kept
REFUSED = (9, 11, 12, 13, 15, 16, 20, 22, 23, 24, 27)
# what the scanner leaves besides: a line break, long texts, an escape, a list
LEFT = (7, 10, 19, 25, 26)
TYPED = """
    select
        '{name}' || i as transaction_id, (i % 3)::utinyint as external_subscription_id, 'api' as code, {moment} as timestamp,
        case when i = 1 then to_timestamp(1709640000) end as received_at,
        case i when 2 then 'other' when 3 then 'acme' end as organization_id,
        case when i = 4 then 1.5::decimal(20, 2) end as precise_total_amount_cents,
        {properties} as properties, i::hugeint as huge, i / 4 as "a double, ü", (i / 7)::float as small,
        case when i = 5 then 1e-7 end as tiny, case when i = 6 then i / 3 end as third, (i / 7)::decimal(20, 10) as exact,
        i = 3 as "is", case when i = 7 then [i, null] end as list, case when i = 8 then {{'a': {{'b': e'\\n'}}}} end as deep,
        case when i = 9 then '\\xAA'::blob end as bytes, uuid '00000000-0000-0000-0000-000000000001' as id,
        'nan'::double as "not", time '12:00:00' as hour
    from range(30) as numbers(i)
"""
MOMENTS = {
    "us": "make_timestamp(1709640000123456 + i)",
    "ns": "make_timestamp_ns(1709640000123456789 + i)",
    "ms": "make_timestamp(1709640000123456 + i)::timestamp_ms",
    "s": "make_timestamp(1709640000123456 + i)::timestamp_s",
    "zoned": "to_timestamp(1709640000 + i)",
    "day": "date '2024-03-05' + i::integer",
    "epoch": "1709640000 + i",
    "double": "1709640000.5 + i * 1e300",
    "json": "to_json('2024-03-05T12:00:00Z')",
    "early": "make_timestamp(i - 3)",
}
PROPERTIES = (
    "{'n': i, 's': null}",
    "case when i > 2 then map {'n': i::varchar, 'k': 'ü'} end",
    "to_json({'n': i / 4})",
    "case when i = 11 then '[1]' else '{\"n\":' || i || '}' end",
    """e'{\\n "n": "' || i || e'"\\n}'""",
)
MAPPING = {
    "code": "'api'",
    "transaction_id": "file_name || line_number",
    "external_subscription_id": "nullif(who, '')",
    "timestamp": "at",
    "properties": "{'n': n::integer, 'who': who}",
}
MAPPED = """
    select timestamp '2024-03-05' + to_seconds(i) as at, case i % 9 when 0 then '' when 1 then e'a\\nb' else 's' end as who,
        case when i % 7 = 0 then 'five' else i::varchar end as n
    from range(60) as numbers(i)
"""


def _write(folder: Path) -> None:
    folder.mkdir()
    queries = {"1": TEXTS, "2": f"{TEXTS} where i between 990 and 1510", "3": f"{TEXTS} where i < 0", "mapped": MAPPED}
    for place, (name, moment) in enumerate(MOMENTS.items()):
        properties = PROPERTIES[place % len(PROPERTIES)]
        queries[name] = TYPED.format(name=name, moment=moment, properties=properties)
    # plain rows in another order of columns, and one column more that is null
    names = "properties, null::timestamptz as received_at, timestamp, code, external_subscription_id, transaction_id"
    queries["9"] = f"select {names} from ({TEXTS} where remainder > 40 limit 300)"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, query in queries.items():
            connection.execute(f"copy ({query}) to '{folder / name}.parquet' (row_group_size 2048)")
    content = bytearray((folder / "1.parquet").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    (folder / "broken.parquet").write_bytes(content)


def _landed(lander: Lander, folder: Path) -> tuple[Any, ...]:
    """Land all files in two batches into an emptied warehouse; what came of it."""
    lander.batch_id = 0
    with lander.warehouse.connect() as session:
        for table in (*FATES, "landed_files"):
            session.execute(f"delete from {session.schema('raw')}.{table}")
    mapped = folder / "mapped.parquet"
    paths = sorted(path for path in folder.iterdir() if path != mapped)
    first = lander.land(file_source(*paths[1:]), file_source(mapped, mapping=MAPPING))
    second = lander.land(file_source(paths[0]))
    return first, second, lander.everything()


def test_parquet_is_landed_alike_through_the_scanner_and_with_care(
    lander: Lander, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parquet"
    _write(folder)
    with lander.warehouse.connect() as session:
        columns = ["organization_id", "billable_metric_code", "event_code", "field_name", "aggregation_type"]
        metric = ("acme", "api", "api", "n", "sum_agg")
        session.insert(f"{session.schema('raw')}.billable_metrics", columns, [metric])
    monkeypatch.setattr(events_readers, "SCANNED_BYTES", 1 << 60)
    careful = _landed(lander, folder)
    monkeypatch.setattr(events_readers, "SCANNED_BYTES", 0)
    monkeypatch.setattr(events_readers, "_BATCH_ROWS", 2048)
    # the rows of three batches do not fit at once
    monkeypatch.setattr(events_plain, "_ROWS", 3000)
    taken: Counter[int] = Counter()
    take = EventParser.take

    def counted(parser: EventParser, lines: events_plain.PlainLines) -> None:
        taken.update(lines.table()["file_id"].to_pylist())
        take(parser, lines)

    monkeypatch.setattr(EventParser, "take", counted)
    monkeypatch.delattr(EventParser, "read_relation")
    scanned = _landed(lander, folder)
    assert scanned == careful
    files = {Path(file.file_path).stem: file for file in (*scanned[0], *scanned[1])}
    # the row that has 32 more is refused by none; it is there once more
    assert counts(files["2"]) == (521, 508, 1, 0, 12)
    assert counts(files["9"]) == (300, 300, 0, 0, 0)
    assert counts(files["broken"]) == (1, 0, 0, 0, 1)
    # what is in the others, and the second row of its id, also where the other files have no such row; the eleven rows of one id
    # are all different, and one of them is landed
    assert counts(files["1"]) == (5000, 4062, 509 + 300 + 9, 10, 10 * len(REFUSED))
    assert taken[files["1"].file_id or 0] == 5000 - 10 * len(REFUSED + LEFT)
    # seven rows of sixty have another number, as many no customer, and as many a line break in its name
    assert taken[files["mapped"].file_id or 0] > 30
    assert sum(taken[files[name].file_id or 0] for name in MOMENTS) > 100


rows = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda text: text != "\r")
        | st.sampled_from(["a\nb", "a\0", "\n", "x" * 4096, "x" * 4097, "é" * 2049]),
        st.none() | st.just("mapping_failed|code"),
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(rows, max_size=3))
@settings(max_examples=60, deadline=None)
def test_lines_that_are_joined_keep_their_numbers(batches: list[list[tuple[str, str | None]]]) -> None:
    numbered = list(enumerate((row for rows in batches for row in rows), 1))
    pieces: list[JoinedLines] = []
    number = 1
    for batch in batches:
        lines, problems = zip(*batch, strict=True)
        numbers = range(number, number + len(batch))
        columns = [pa.array(numbers, pa.int64()), pa.array(lines, pa.string()), pa.array(problems, pa.string())]
        pieces.append(joined(pa.record_batch(columns, schema=LINES)))
        number += len(batch)
        assert bytes(pieces[-1].text).count(b"\n") == len(batch)
    apart = {row["line_number"] for piece in pieces for row in piece.apart.to_pylist()}
    assert apart == {
        number
        for number, (text, problem) in numbered
        if problem or "\n" in text or "\0" in text or len(text.encode()) > 4096
    }
    read = [row for batch in lines_of_pieces(iter(pieces), 1) for row in batch.to_pylist()]
    found = {
        row["line_number"]: (
            row["line"] if row["line_number"] in apart else row["line"].removesuffix("\n"),
            row["problem"],
        )
        for row in read
    }
    assert len(found) == len(read)
    assert found == dict(numbered)


def test_what_the_scanner_holds_is_taken_from_the_engine_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", memory_limit="2GB")
    warehouse.create_raw_tables()
    lander = Lander(warehouse, tmp_path / "events")
    held = []
    take = EventParser.take

    def limit(connection: duckdb.DuckDBPyConnection) -> str:
        [(found,)] = connection.execute("select current_setting('memory_limit')").fetchall()
        return str(found)

    def looked(parser: EventParser, lines: events_plain.PlainLines) -> None:
        held.append(limit(parser.connection))
        take(parser, lines)

    monkeypatch.setattr(EventParser, "take", looked)
    monkeypatch.setattr(events_readers, "SCANNED_BYTES", 0)
    with warehouse.kept_open(), warehouse.connect() as session:
        lander.land_lines(line("t1"))
        lander.land_lines(line("t2"))
        # of 2 GB, 600 MB are the process's own and 600 MiB the scanner's, while it is there
        assert held == ["731.1 MiB"] * 2
        assert limit(session.connection) == "1.3 GiB"  # type: ignore[attr-defined]
