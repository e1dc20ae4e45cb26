"""Control totals over what the rows of `raw` say: of each batch, table and file the sum of its rows' hashes.

They are made when a batch has landed and kept outside of the warehouse, so that a row that was changed in place is noticed
though the counts still tie. The sums depend on no order. They are checks on damage and mistakes, not seals: a sum of 64-bit
hashes can be forged. A close looks at the catalogue, the accounts and the events that it reads for being new or not yet
billed (per million 0.1 s on DuckDB, 0.5 s on PostgreSQL); the audit looks at all.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.lib.operations import ContentTotal, OperationsStore
from dagster_project.lib.warehouse import Session, Warehouse, tables_of
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES, RAW_TABLES_BY_NAME
from dagster_project.lib.words import plural

EVENTS = "usage_events"
# a batch is on record when its own row is
_MARKER = "landing_batches"
# reported and never billed
_REPORTED = frozenset({"duplicate_events", "conflicting_events", "quarantined_events"})
# made anew for every row when the engine hashes otherwise, by a landing
_UNHASHED = frozenset({"key_hash"})
# one value of each type of a raw column
_PROBE = (
    "cast('meterhouse' as varchar), cast(1 as bigint), cast(1.5 as decimal(27,12)), true, "
    "timestamp '2024-01-31 12:00:00.25', date '2024-01-31'"
)
_Key = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class _Part:
    """The events from `month` (YYYY-MM-DD, the first of a month) on, and those of later batches than `batch_id`."""

    month: str
    batch_id: int


def unrecorded_contents(session: Session, store: OperationsStore, warehouse: Warehouse) -> list[ContentTotal]:
    """The totals of complete batches that are not on record by the way in which this engine hashes."""
    method = _method(session)
    recorded = {batch for batch, by in store.content_batches(warehouse.schema_prefix) if by == method}
    landed = {batch for (batch,) in session.rows(f"select batch_id from {session.schema('raw')}.{_MARKER}")}
    new = landed - recorded
    if not new:
        return []
    columns = {name: json.dumps(_hashed(name)) for name in _tables()}
    counted = _counted(session, {name: (text,) for name, text in columns.items()}, f"batch_id >= {min(new)}")
    return [
        ContentTotal(
            table_name=table,
            batch_id=batch,
            source=source,
            month=month,
            method=method,
            columns=text,
            rows_count=count,
            checksum=checksum,
        )
        for (table, batch, source, month), text, count, checksum in counted
        if batch in new
    ]


def changed_contents(session: Session, store: OperationsStore, warehouse: Warehouse, *, everything: bool) -> list[str]:
    """What of the rows on record is no more as it was landed, in words: table, batch, file.

    `everything`: also what is not billed from, and events that closes have done with.
    """
    batches = store.content_batches(warehouse.schema_prefix)
    if not batches:
        return []
    method = _method(session)
    part = None if everything else _unbilled(session)
    tables = [name for name in _tables() if everything or name not in _REPORTED]
    recorded: dict[_Key, ContentTotal] = {}
    for total in store.content_totals(
        warehouse.schema_prefix,
        tables,
        *(() if part is None else (EVENTS, part.month, part.batch_id)),
    ):
        key = (total.table_name, total.batch_id, total.source, total.month)
        if key not in recorded or total.method == method:
            recorded[key] = total
    columns: dict[str, set[str]] = {name: set() for name in tables}
    for total in recorded.values():
        columns[total.table_name].add(total.columns)
    counts: dict[_Key, int] = {}
    sums: dict[tuple[_Key, str], str] = {}
    for key, text, count, checksum in _counted(
        session, {name: sorted(texts) or [json.dumps(_hashed(name))] for name, texts in columns.items()}, part=part
    ):
        counts[key] = count
        sums[key, text] = checksum
    known = {batch for batch, _ in batches}
    differing = {
        key: (total.rows_count, counts.get(key, 0))
        for key, total in recorded.items()
        if counts.get(key) != total.rows_count
        or (total.method == method and sums[key, total.columns] != total.checksum)
    }
    differing |= {key: (0, count) for key, count in counts.items() if key[1] in known and key not in recorded}
    return list(_words(session, differing))


def _tables() -> list[str]:
    return [table.name for table in RAW_TABLES if "batch_id" in table.all_columns]


def _hashed(table: str) -> list[str]:
    return [name for name in RAW_TABLES_BY_NAME[table].all_columns if name not in _UNHASHED]


def _method(session: Session) -> str:
    """The engine, with what it makes of known values: another version may hash otherwise."""
    [(probe,)] = session.rows(f"select cast({_hash(session, _PROBE)} as varchar)")
    return f"{session.kind} {probe}"


def _hash(session: Session, columns: str) -> str:
    return f"hash({columns})" if session.kind == "duckdb" else f"hash_record_extended(row({columns}), 0)"


def _unbilled(session: Session) -> _Part | None:
    """Which events a close reads whatever else happened; null (all) when there was none."""
    ledger = session.schema("ledger")
    if "ledger_unsettled_usage" not in tables_of(session, ledger):
        return None
    [(month, batch)] = session.rows(
        f"""
        select cast(cast(date_trunc('month', min(open_from_at)) as date) as varchar), min(known_batch_id)
        from (
            select
                open_from_at,
                known_batch_id,
                row_number() over (partition by organization_id order by close_id desc) as recency
            from {ledger}.ledger_unsettled_usage
            where code is null and close_id in (select close_id from {ledger}.closes)
        ) as newest
        where recency = 1
        """
    )
    return None if month is None else _Part(month, batch)


def _counted(
    session: Session,
    columns: Mapping[str, Collection[str]],
    condition: str = "true",
    *,
    part: _Part | None = None,
) -> Iterator[tuple[_Key, str, int, str]]:
    """By table, batch, file and month: the columns, how many rows there are, and the sum of their hashes."""
    variants: list[str] = []
    queries: list[str] = []
    for table, texts in columns.items():
        for text in texts:
            conditions = [condition]
            if table == EVENTS and part is not None:
                conditions = [
                    f"event_at >= timestamp '{part.month}'",
                    f"batch_id > {part.batch_id} and event_at < timestamp '{part.month}'",
                ]
                # DuckDB narrows each read down by what it knows of its blocks; PostgreSQL reads all, so once
                if session.kind == "postgres":
                    conditions = [f"{conditions[0]} or {conditions[1]}"]
            queries += [_query(session, table, len(variants), json.loads(text), where) for where in conditions]
            variants.append(text)
    for table, variant, batch, source, month, count, checksum in session.rows(" union all ".join(queries)):
        yield (table, batch, source, month), variants[variant], int(count), checksum


def _query(session: Session, table: str, variant: int, hashed: Sequence[str], condition: str) -> str:
    there = RAW_TABLES_BY_NAME[table].all_columns
    source = month = "cast(null as varchar)"
    if "source_file" in there:
        source = "source_file"
    elif "line_number" in there:
        source = "file_id"
    if table == EVENTS:
        month = "date_trunc('month', event_at)"
    # PostgreSQL takes months for as many as there are instants, and would sort all rows for it; it does not look into a
    # subquery with an offset
    apart = "offset 0" if session.kind == "postgres" else ""
    return (
        f"select '{table}', {variant}, batch_id, coalesce(cast(source as varchar), ''), "
        "coalesce(cast(cast(month as date) as varchar), ''), count(*), cast(sum(row_hash) as varchar) "
        f"from (select batch_id, {source} as source, {month} as month, {_hash(session, ', '.join(hashed))} as row_hash "
        f"from {session.schema('raw')}.{table} where {condition} {apart}) as hashed group by batch_id, source, month"
    )


def _words(session: Session, differing: Mapping[_Key, tuple[int, int]]) -> Iterator[str]:
    raw = session.schema("raw")
    paths: dict[str, str] = defaultdict(str)
    if any(source.isdigit() for _, _, source, _ in differing):
        paths |= {str(file): path for file, path in session.rows(f"select file_id, file_path from {raw}.landed_files")}
    for (table, batch, source, month), (then, now) in sorted(differing.items(), key=lambda item: (item[0][1], item[0])):
        file = paths[source] or (f"file {source}" if source.isdigit() else source)
        where = ", ".join(part for part in (file, f"events of {month[:7]}" if month else "") if part)
        if then != now:
            what = f"had {plural(then, 'row')}, now {now:,}"
        else:
            what = f"its {plural(now, 'row is not as it was', 'rows are not as they were')} landed"
        yield f"{raw}.{table} of landing batch {batch}{f' ({where})' if where else ''} {what}"
