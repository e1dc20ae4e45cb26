"""Sources in other shapes: mapped files, Parquet, relations of the warehouse, the events of cases."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.lib.book import EventSource
from dagster_project.lib.errors import InputError
from dagster_project.lib.landing import events_readers
from dagster_project.lib.landing.events_mapping import checked
from tests.dagster_project.lib.landing.landings import Lander, counts, file_source, line

LOG_MAPPING = {
    "code": "'request'",
    "transaction_id": "file_name || ':' || line_number",
    "external_subscription_id": "customer_ref",
    "timestamp": '"when"',
    "properties": "json_object('bytes', bytes_out, 'path', path)",
}


def _parquet(lander: Lander, name: str, columns: Mapping[str, Any]) -> Path:
    path = lander.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)
    return path


def test_a_csv_log_without_ids_gets_ids_that_stay(lander: Lander) -> None:
    rows = [
        "when,customer_ref,bytes_out,path",
        "2024-03-05 12:00:00,s,5,/a",
        "2024-03-05T12:00:00.1234567,s,,/b",
        ",s,1,/c",
    ]
    path = lander.write("log.csv", rows)
    source = file_source(path, mapping=LOG_MAPPING)
    [landed] = lander.land(source)
    assert counts(landed) == (3, 2, 0, 0, 1)
    assert lander.rows("transaction_id, code, cast(event_at as varchar), properties") == [
        ("log.csv:2", "request", "2024-03-05 12:00:00", '{"bytes":"5","path":"/a"}'),
        ("log.csv:3", "request", "2024-03-05 12:00:00.123456", '{"bytes":null,"path":"/b"}'),
    ]
    assert lander.reasons() == [(4, "missing_field")]
    assert lander.rows("raw_text", "quarantined_events") == [(",s,1,/c",)]
    lander.write("log.csv", [*rows, "2024-03-05 13:00:00Z,s,9,/d"])
    [grown] = lander.land(source)
    assert counts(grown) == (4, 1, 2, 0, 1)


def test_a_changed_mapping_reads_the_file_again(lander: Lander) -> None:
    path = lander.write("log.csv", ["when,customer_ref,bytes_out,path", "2024-03-05 12:00:00,s,5,/a"])
    lander.land(file_source(path, mapping=LOG_MAPPING))
    changed = LOG_MAPPING | {"transaction_id": "'v2:' || line_number"}
    [again] = lander.land(file_source(path, mapping=changed))
    assert counts(again) == (1, 1, 0, 0, 0)
    [known] = lander.land(file_source(path, mapping=changed))
    assert known.is_known


def test_json_lines_are_mapped_by_their_keys(lander: Lander) -> None:
    lines = [
        '{"customer_ref": "s", "when": "2024-03-05T12:00:00+01:00", "path": "/a", "usage": {"ms": 1.50}, "x": 1}',
        "",
        '{"customer_ref": "s", "when": 1709640000.1234567, "path": "/b", "usage": {"ms": 0.30000000000000004}}',
        '{"customer_ref": "s", "when": "2024-03-05T12:00:00Z", "usage": {"ms": 1.00000000000000000001}}',
        '{"customer_ref": "s", "when": "2024-03-05T12:00:00Z", "unread": 1.00000000000000000001, "usage": {"ms": "7"}}',
        '{"customer_ref": "s", "when": ',
        '{"customer_ref": "s", "when": "2024-03-05T12:00:00Z", "usage": {"ms": NaN}}',
    ]
    mapping = LOG_MAPPING | {"properties": "json_object('ms', usage.ms, 'path', path)"}
    [landed] = lander.land(file_source(lander.write("log.jsonl", lines), mapping=mapping))
    assert lander.reasons() == [(4, "number_not_exact"), (6, "invalid_json"), (7, "number_not_exact")]
    assert lander.rows("line_number, cast(event_at as varchar), properties") == [
        (1, "2024-03-05 11:00:00", '{"ms":"1.5","path":"/a"}'),
        (3, "2024-03-05 12:00:00.123456", '{"ms":"0.30000000000000004","path":"/b"}'),
        (5, "2024-03-05 12:00:00", '{"ms":"7","path":null}'),
    ]
    assert counts(landed) == (6, 3, 0, 0, 3)
    assert lander.rows("raw_text", "quarantined_events")[1] == (lines[5],)


def test_an_expression_that_fails_for_a_row_fails_that_row_alone(lander: Lander) -> None:
    rows = ["id,n", "1,5", "2,five", "3,7"]
    mapping = {
        "code": "'api'",
        "transaction_id": "id",
        "external_subscription_id": "'s'",
        "timestamp": "1709640000 + id::integer",
        "properties": "{'n': n::integer}",
    }
    [landed] = lander.land(file_source(lander.write("a.csv", rows), mapping=mapping))
    assert counts(landed) == (3, 2, 0, 0, 1)
    assert lander.reasons() == [(3, "mapping_failed")]
    assert "properties" in lander.rows("reason", "quarantined_events")[0][0]
    assert lander.properties() == {"1": '{"n":5}', "3": '{"n":7}'}


def test_an_expression_over_a_column_that_is_not_there_is_the_users_mistake(lander: Lander) -> None:
    path = lander.write("a.csv", ["id", "1"])
    with pytest.raises(InputError, match=r"customer_ref.*a\.csv"):
        lander.land(file_source(path, mapping=LOG_MAPPING))
    assert lander.rows("1", "landed_files") == []


@pytest.mark.parametrize(
    "sql",
    [
        "a; drop table x",
        "a -- comment",
        "a /* comment */",
        "(select max(b) from c)",
        "a in (select b from c)",
        "exists (select 1)",
        "a, b",
        "a as b",
        "a from b",
        "a union select b",
        "*",
        "sum(a)",
        "row_number() over ()",
        "random()",
        "now()",
        "current_timestamp",
        "uuid()",
        "gen_random_uuid()",
        "getenv('HOME')",
        "pg_sleep(5)",
        "a = ?",
        "$1",
        "",
        "a +",
        "a where true",
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_only_single_expressions_over_the_row_are_taken(sql: str, dialect: str) -> None:
    with pytest.raises(InputError, match=r"sources\.yaml"):
        checked({"code": sql}, dialect=dialect)


def test_a_column_may_bear_the_name_of_a_keyword() -> None:
    [expression] = checked({"code": "at"}, dialect="duckdb")
    assert expression.sql == '"at"'


def test_columns_of_expressions_are_found() -> None:
    [expression] = checked({"code": "coalesce(a, \"b c\", usage.kind) || '; -' || file_name"}, dialect="duckdb")
    assert set(expression.columns) == {"a", "b c", "usage.kind", "file_name"}


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_parquet_with_the_names_of_events(lander: Lander, unit: str) -> None:
    moments = [datetime(2024, 3, 5, 12, 0, 0, 123456, tzinfo=UTC), datetime(2024, 3, 5, 12)]
    path = _parquet(
        lander,
        "a.parquet",
        {
            "transaction_id": ["t1", "t2", None],
            "external_subscription_id": [1, 2, 3],
            "code": ["api"] * 3,
            "timestamp": pa.array([1709640000123456789, 1709640000999999999, 0], pa.timestamp("ns")),
            "received_at": pa.array([moments[0], None, None], pa.timestamp(unit, tz="Europe/Paris")),
            "properties": [{"n": 1, "s": None}, {"n": 2, "s": "x"}, None],
            "size": [Decimal("12345678901234567890.123"), None, Decimal(1)],
            "share": [0.00001, 0.5, 0.0],
            "precise_total_amount_cents": [Decimal("1.5"), None, None],
        },
    )
    [landed] = lander.land(file_source(path))
    assert counts(landed) == (3, 2, 0, 0, 1)
    assert lander.reasons() == [(3, "missing_field")]
    columns = (
        "transaction_id, external_subscription_id, cast(event_at as varchar), cast(received_at as varchar), properties"
    )
    assert lander.rows(columns) == [
        (
            "t1",
            "1",
            "2024-03-05 12:00:00.123456",
            "2024-03-05 12:00:00.123456",
            '{"size":"12345678901234567890.123","share":0.00001,"n":1,"s":null}',
        ),
        ("t2", "2", "2024-03-05 12:00:00.999999", None, '{"share":"0.5","n":2,"s":"x"}'),
    ]


def _small_parquet(lander: Lander, name: str, ids: Sequence[str]) -> Path:
    count = len(ids)
    columns = {
        "transaction_id": ids,
        "external_subscription_id": ["s"] * count,
        "code": ["api"] * count,
        "timestamp": ["2024-03-05T12:00:00Z"] * count,
    }
    return _parquet(lander, name, columns)


def test_names_of_parquet_files_and_folders_say_nothing_about_their_events(lander: Lander) -> None:
    """DuckDB would read all files that a name with a star matches, and take `code=other` for the column `code`."""
    paths = [
        _small_parquet(lander, "code=other/a*.parquet", ["t1"]),
        _small_parquet(lander, "code=other/ab.parquet", ["t2"]),
        _small_parquet(lander, "code=other/[ab]?.parquet", ["t3"]),
    ]
    results = lander.land(file_source(*paths))
    assert [counts(result) for result in results] == [(1, 1, 0, 0, 0)] * 3
    assert set(lander.rows("transaction_id, code, properties")) == {(f"t{i}", "api", "{}") for i in (1, 2, 3)}


def test_parquet_that_is_replaced_between_its_hash_and_its_rows_is_not_landed(
    lander: Lander, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows of the one would be landed under the mark of the other, which then counts as landed."""
    path = _small_parquet(lander, "a.parquet", ["t1"])
    with monkeypatch.context() as patch:
        hashed = events_readers.file_sha256

        def hash_and_replace(of: Path) -> str:
            found = hashed(of)
            _small_parquet(lander, "new.parquet", ["t2"]).rename(path)
            return found

        patch.setattr(events_readers, "file_sha256", hash_and_replace)
        with pytest.raises(InputError, match=r"a\.parquet was changed or replaced while it was read"):
            lander.land(file_source(path))
    assert lander.rows("transaction_id") == []
    [landed] = lander.land(file_source(path))
    assert counts(landed) == (1, 1, 0, 0, 0)
    assert lander.rows("transaction_id") == [("t2",)]


def test_parquet_with_a_mapping(lander: Lander) -> None:
    path = _parquet(
        lander,
        "a.parquet",
        {"id": [1, 2], "at": pa.array([0, 1], pa.date32()), "m": [[("k", "v")], []], "who": ["s", None]},
    )
    mapping = {
        "code": "'api'",
        "transaction_id": "id",
        "external_subscription_id": "coalesce(who, 'none') || line_number",
        "timestamp": '"at"',
        "properties": "{'a': id, 'b': file_name}",
    }
    [landed] = lander.land(file_source(path, mapping=mapping))
    assert counts(landed) == (2, 2, 0, 0, 0)
    assert lander.rows("external_subscription_id, cast(event_at as varchar), properties") == [
        ("s1", "1970-01-01 00:00:00", '{"a":1,"b":"a.parquet"}'),
        ("none2", "1970-01-02 00:00:00", '{"a":2,"b":"a.parquet"}'),
    ]


def test_parquet_that_cannot_be_read_is_one_refused_row(lander: Lander) -> None:
    good = _parquet(
        lander,
        "good.parquet",
        {
            "transaction_id": ["t1"],
            "external_subscription_id": ["s"],
            "code": ["c"],
            "timestamp": ["2024-03-05T12:00:00Z"],
        },
    )
    big = _parquet(lander, "z.parquet", {"transaction_id": [f"t{i}" for i in range(50_000)]})
    content = bytearray(big.read_bytes())
    content[1000:2000] = b"\xff" * 1000
    lander.write("broken.parquet", bytes(content))
    lander.write("short.parquet", good.read_bytes()[:-20])
    lander.write("text.parquet", "no parquet")
    lander.write("zero.parquet", b"")
    names = ("broken", "good", "short", "text", "zero")
    results = lander.land(file_source(*(lander.folder / f"{name}.parquet" for name in names)))
    assert [counts(r) for r in results] == [
        (1, 0, 0, 0, 1),
        (1, 1, 0, 0, 0),
        (1, 0, 0, 0, 1),
        (1, 0, 0, 0, 1),
        (1, 0, 0, 0, 1),
    ]
    assert {code for _, code in lander.reasons()} == {"unreadable_file"}


USAGE = (
    ("t1", "s", "api", "2024-03-05 12:00:00.123456", "2024-03-05 13:00:00+01", '{"n": 1.50}'),
    ("t2", "s", "api", "2024-03-05 12:00:00", None, None),
    ("t2", "s", "api", "2024-03-05 12:00:00", None, None),
    ("t3", "", "api", "2024-03-05 12:00:00", None, None),
    ("t4", "s", "api", "2024-03-05 12:00:00", None, '{"n": NaN}'),
)
RELATION_MAPPING = {
    "code": "metric",
    "transaction_id": "id",
    "external_subscription_id": "who",
    "timestamp": "happened_at",
    "received_at": "seen_at",
    "properties": "details",
}


def _usage_table(lander: Lander, rows: Sequence[Sequence[Any]], *, names: Sequence[str]) -> None:
    types = ("varchar", "varchar", "varchar", "timestamp", "timestamptz", "varchar")
    with lander.warehouse.connect() as session:
        session.execute("drop schema if exists analytics cascade")
        session.execute("create schema analytics")
        columns = ", ".join(f"{n} {t}" for n, t in zip(names, types, strict=True))
        session.execute(f"create table analytics.usage ({columns})")
        session.insert("analytics.usage", list(names), rows)


def test_a_relation_is_read_where_it_lies_and_only_what_is_new_is_taken(lander: Lander) -> None:
    names = ("id", "who", "metric", "happened_at", "seen_at", "details")
    source = EventSource("relation", mapping=RELATION_MAPPING, organization_id="acme", relation="analytics.usage")
    _usage_table(lander, USAGE, names=names)
    [first] = lander.land(source)
    assert counts(first) == (4, 2, 0, 0, 2)
    columns = "transaction_id, cast(event_at as varchar), cast(received_at as varchar), properties"
    landed = [
        ("t1", "2024-03-05 12:00:00.123456", "2024-03-05 12:00:00", '{"n":1.5}'),
        ("t2", "2024-03-05 12:00:00", None, "{}"),
    ]
    assert sorted(lander.rows(columns)) == landed
    assert sorted(code for _, code in lander.reasons()) == ["missing_field", "not_a_number"]
    [again] = lander.land(source)
    assert counts(again) == (0, 0, 0, 0, 0)
    changed = ("t1", "s", "other", "2024-03-05 12:00:00", None, None)
    _usage_table(lander, [*USAGE, changed, ("t5", "s", "api", "2024-03-05 12:00:00", None, None)], names=names)
    [grown] = lander.land(source)
    assert counts(grown) == (2, 1, 0, 1, 0)
    [last] = lander.land(source)
    assert counts(last) == (0, 0, 0, 0, 0)
    assert lander.rows("file_path, lines_count", "landed_files") == [("analytics.usage", 4), ("analytics.usage", 2)]


def test_a_small_double_of_a_relation_is_a_quantity(lander: Lander) -> None:
    _usage_table(lander, USAGE[:1], names=("id", "who", "metric", "happened_at", "seen_at", "details"))
    with lander.warehouse.connect() as session:
        session.execute("alter table analytics.usage add column n double precision")
        session.execute("update analytics.usage set n = 0.00001")
        session.execute(
            "create view analytics.plain as select id as transaction_id, who as external_subscription_id, "
            "metric as code, happened_at as timestamp, n from analytics.usage"
        )
    [landed] = lander.land(EventSource("relation", organization_id="acme", relation="analytics.plain"))
    assert counts(landed) == (1, 1, 0, 0, 0)
    [(properties,)] = lander.rows("properties")
    assert Decimal(json.loads(properties, parse_float=str)["n"]) == Decimal("0.00001")


def test_a_relation_with_the_names_of_events_needs_no_mapping(lander: Lander) -> None:
    names = ("transaction_id", "external_subscription_id", "code", "timestamp", "received_at", "region")
    rows = [
        ("t1", "s", "api", "2024-03-05 12:00:00", None, "eu"),
        ("t2", "s", "api", "2024-03-05 12:00:00", None, None),
    ]
    _usage_table(lander, rows, names=names)
    lander.land(EventSource("relation", organization_id="acme", relation="analytics.usage"))
    assert lander.properties() == {"t1": '{"region":"eu"}', "t2": "{}"}


def test_a_relation_or_a_column_that_is_not_there_is_the_users_mistake(lander: Lander) -> None:
    with pytest.raises(InputError, match=r"analytics\.nothing"):
        lander.land(EventSource("relation", mapping=RELATION_MAPPING, relation="analytics.nothing"))
    _usage_table(lander, [], names=("a", "b", "c", "d", "e", "f"))
    with pytest.raises(InputError, match=r"metric|analytics\.usage"):
        lander.land(EventSource("relation", mapping=RELATION_MAPPING, relation="analytics.usage"))


def test_the_events_of_many_cases_land_together(lander: Lander) -> None:
    lander.organizations = [f"case {i}" for i in range(200)]
    sources = [
        EventSource(
            "inline",
            paths=(Path(f"cases/{i:03}.json"),),
            format="jsonl",
            organization_id=f"case {i}",
            lines=(line("t1"), line("t2", timestamp="never"), line("t1")),
            line_numbers=(5, 5, 9),
        )
        for i in range(200)
    ]
    results = lander.land(*sources)
    assert [counts(r) for r in results] == [(3, 1, 1, 0, 1)] * 200
    assert lander.rows("file_path, file_format", "landed_files")[7] == ("cases/007.json", "inline")
    assert lander.rows("line_number", "duplicate_events") == [(3,)] * 200
    assert [r.is_known for r in lander.land(*sources)] == [True] * 200


QUANTITIES = (
    ("5", True),
    ("999999999999999.123456789012", True),
    ("-999999999999999", True),
    ("0000000000000000001", True),
    ("0.10000000000000000", True),
    ("1000000000000000", False),
    ("-1000000000000000.5", False),
    ("0.1234567890123", False),
    ("12345678901234567890 apples", True),
    ("4111111111111111x", True),
)

NUMBERS = (
    "1234567890.123456",
    "123456789012345.123456789012",
    "0.30000000000000004",
    "1e-13",
    "1e15",
    "1234567890123456",
)


def test_quantities_beyond_the_sizes_of_the_book_are_refused_where_a_metric_reads_them(lander: Lander) -> None:
    with lander.warehouse.connect() as session:
        table = f"{session.schema('raw')}.billable_metrics"
        columns = ["organization_id", "billable_metric_code", "event_code", "field_name", "aggregation_type"]
        session.insert(
            table,
            columns,
            [
                ("acme", "bytes", "api", "n", "sum_agg"),
                ("acme", "users", "api", "user", "unique_count_agg"),
                ("other", "api", None, "user", "sum_agg"),
                ("acme", "gpu", None, "n", "custom_agg"),
            ],
        )
    lines = [line(f"t{i}", properties={"n": text, "user": "9" * 30}) for i, (text, _) in enumerate(QUANTITIES)]
    unread = [line(f"u{i}", code="unread", properties={"n": text}) for i, (text, _) in enumerate(QUANTITIES)]
    # the same of numbers that are no texts
    numbers = [(sent, line(f"n{i}").replace('"10"', sent)) for i, sent in enumerate(NUMBERS)]
    custom = line("c0", code="gpu", properties={"n": "0.1234567890123"})
    lander.land_lines(*lines, *unread, *(text for _, text in numbers), custom)
    kept = [f"t{i}" for i, (_, fits) in enumerate(QUANTITIES) if fits]
    kept += [f"u{i}" for i in range(len(QUANTITIES))]
    assert [name for (name,) in lander.rows("transaction_id")] == [*kept, "n0", "n1"]
    assert {code for _, code in lander.reasons()} == {"quantity_out_of_range"}


@pytest.mark.postgres
def test_every_shape_gives_the_same_rows_on_both_engines(both_landers: list[Lander]) -> None:
    held = []
    for lander in both_landers:
        _usage_table(lander, USAGE, names=("id", "who", "metric", "happened_at", "seen_at", "details"))
        csv = lander.write("log.csv", ["when,customer_ref,bytes_out,path", "2024-03-05 12:00:00,s,5,/ä", "x,s,,\\."])
        parquet = _parquet(
            lander,
            "p.parquet",
            {
                "transaction_id": ["p1", "p2"],
                "external_subscription_id": ["s"] * 2,
                "code": ["c"] * 2,
                "timestamp": [1709640000.5, 1e300],
                "share": [0.1, None],
            },
        )
        lander.land(
            EventSource("relation", mapping=RELATION_MAPPING, organization_id="acme", relation="analytics.usage"),
            file_source(csv, mapping=LOG_MAPPING),
            file_source(parquet),
        )
        rows = lander.everything()
        # a relation's rows have no order
        held.append({table: sorted(map(repr, found)) for table, found in rows.items() if table != "usage_events"})
        held[-1]["events"] = sorted(
            map(
                repr,
                lander.rows(
                    "organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties"
                ),
            )
        )
    assert held[0]["events"] == held[1]["events"]
    assert [len(found) for found in held[0].values()] == [len(found) for found in held[1].values()]
