"""Landing the records of a book: new and changed ones become versions, set by set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.book import Record
from dagster_project.lib.warehouse import Session
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES, RAW_TABLES_BY_NAME, RawTable

_INCOMING = "incoming_records"
_INCOMING_COLUMNS = "ordinal bigint, organization_id varchar, key_text varchar, key_at timestamp, record_hash varchar"
_NO_TIME = "0001-01-01 00:00:00"
# what stands for the parts that a table's key does not have: never null, so that keys join
_NO_KEY = {"key_text": "''", "key_at": f"timestamp '{_NO_TIME}'"}
_COMPARED = """
with versions as (
    select
        organization_id,
        {key_text} as key_text,
        {key_at} as key_at,
        record_hash,
        row_number() over (
            partition by organization_id, {key_text}, {key_at} order by batch_id desc
        ) as version_age
    from {table}
    where organization_id in ({organizations})
),
latest as (
    select * from versions where version_age = 1
)
select
    incoming.ordinal,
    latest.record_hash is null as is_new,
    latest.organization_id,
    latest.key_text,
    latest.key_at
from {incoming} as incoming
full outer join latest
    on incoming.organization_id = latest.organization_id
    and incoming.key_text = latest.key_text
    and incoming.key_at = latest.key_at
where incoming.record_hash is null
    or latest.record_hash is null
    or incoming.record_hash <> latest.record_hash
"""


@dataclass(frozen=True, slots=True)
class VanishedRecord:
    """A record that was landed and that the book no longer has; it stays as it is."""

    table: str
    organization_id: str
    key: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """What landing did with the records of a book; they add up to the records that were given."""

    new: int
    changed: int
    unchanged: int
    vanished: tuple[VanishedRecord, ...]


def land_records(session: Session, records: Sequence[Record], *, batch_id: int) -> RecordCounts:
    """Write the records that are new or changed as versions of `batch_id`.

    Works inside of the caller's transaction. A record is found again by organisation, table and
    key, and compared by its hash. Records of other organisations than those given are left out of
    `vanished`.
    """
    if not records:
        return RecordCounts(0, 0, 0, ())
    by_table: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_table[record.table].append(record)
    raw = session.schema("raw")
    organizations = sorted({record.organization_id for record in records})
    new, changed = 0, 0
    vanished: list[VanishedRecord] = []
    written: list[Record] = []
    with session.transaction():
        session.execute(f"drop table if exists {_INCOMING}")
        session.execute(f"create temporary table {_INCOMING} ({_INCOMING_COLUMNS})")
        for table in RAW_TABLES:
            if table.kind != "record" or table.parent is not None:
                continue
            incoming = by_table.pop(table.name, [])
            fresh, differing, gone = _compared(session, table, incoming, organizations)
            new += len(fresh)
            changed += len(differing)
            vanished += gone
            written += [incoming[ordinal] for ordinal in sorted((*fresh, *differing))]
        session.execute(f"drop table {_INCOMING}")
        _write(session, raw, written, batch_id)
    return RecordCounts(new, changed, len(records) - new - changed, tuple(vanished))


def _compared(
    session: Session,
    table: RawTable,
    incoming: Sequence[Record],
    organizations: Sequence[str],
) -> tuple[list[int], list[int], list[VanishedRecord]]:
    """The ordinals of new and of changed records, and the records that vanished."""
    name = f"{session.schema('raw')}.{table.name}"
    if not incoming and not session.rows(f"select 1 from {name} limit 1"):
        return [], [], []
    keys = {**_NO_KEY, **dict(zip(_NO_KEY, table.key, strict=False))}
    session.execute(f"delete from {_INCOMING}")
    session.insert(
        _INCOMING,
        ("ordinal", "organization_id", "key_text", "key_at", "record_hash"),
        ((i, record.organization_id, *_key_pair(record.key), record.record_hash) for i, record in enumerate(incoming)),
    )
    query = _COMPARED.format(
        incoming=_INCOMING,
        table=name,
        organizations=", ".join("?" for _ in organizations),
        **keys,
    )
    fresh: list[int] = []
    changed: list[int] = []
    gone: list[VanishedRecord] = []
    for ordinal, is_new, organization_id, *key in session.rows(query, organizations):
        if ordinal is None:
            gone.append(VanishedRecord(table.name, organization_id, tuple(key[: len(table.key)])))
        elif is_new:
            fresh.append(ordinal)
        else:
            changed.append(ordinal)
    return fresh, changed, sorted(gone, key=lambda record: (record.organization_id, record.key))


def _key_pair(key: Sequence[Any]) -> tuple[Any, Any]:
    """A record's key is nothing, a text, or a text and a time."""
    return (key[0] if key else ""), (key[1] if len(key) > 1 else _NO_TIME)


def _write(session: Session, raw: str, records: Sequence[Record], batch_id: int) -> None:
    rows: dict[str, list[list[Any]]] = defaultdict(list)
    for record in records:
        source = {
            "batch_id": batch_id,
            "source_file": record.source_file,
            "source_line": record.source_line,
        }
        own = {**record.row, **source, "record_hash": record.record_hash}
        rows[record.table].append(_values(record.table, record.organization_id, own))
        for child, children in record.children.items():
            for row in children:
                rows[child].append(_values(child, record.organization_id, {**row, **source}))
    for name, values in rows.items():
        session.insert(f"{raw}.{name}", list(RAW_TABLES_BY_NAME[name].all_columns), values)


def _values(table: str, organization_id: str, row: Mapping[str, Any]) -> list[Any]:
    """The row in the order of the table's columns."""
    columns = RAW_TABLES_BY_NAME[table].all_columns
    return [organization_id if column == "organization_id" else row[column] for column in columns]
