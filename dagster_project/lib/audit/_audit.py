"""The audit reads everything that was finalised and proves it against the seals of the closes.

- rows: the sha256 of every row of the ledger, worked out again here and not by the models that wrote it, against
  ledger_row_hashes: a row that was changed, added, taken away or doubled is named;
- outputs and chain: the hashes by table against the sorted hashes of their rows, each close's seal against its own
  content and the seal before it;
- totals: the seals and landing batches that the operations store keeps outside of the warehouse, with the sums over all rows
  of `raw`;
- documents: the sha256 of every file on record, and that each issued invoice has its files.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dagster_project.lib.close import document_file, is_as_issued, lost_totals
from dagster_project.lib.dbt_runs import DBT_PROJECT_DIR
from dagster_project.lib.ledger import issued_invoice_ids, void_document_ids
from dagster_project.lib.operations import OperationsStore
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Session, Warehouse, named_rows, tables_of

# what the seals themselves are made of, and what is no output of a close
_SEALS = ("closes", "ledger_close_organizations", "ledger_output_hashes", "ledger_row_hashes")
_CLOSE = (
    "close_id",
    "organization_id",
    "as_of",
    "known_batch_id",
    "invoices_count",
    "book_version",
    "code_version",
    "override_reason",
    "inputs_hash",
    "outputs_hash",
    "previous_close_hash",
)
_ROWS_NAMED = 100


@dataclass(frozen=True, slots=True)
class WrongRow:
    """Something that is not as a close left it: where it is, which row, and what is wrong with it."""

    close_id: int | None
    organization_id: str
    relation: str
    row_key: str
    finding: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was looked at, and what is wrong, the first wrong row first (at most 100 a kind)."""

    closes_count: int
    unsealed_count: int
    rows_count: int
    documents_count: int
    wrong: tuple[WrongRow, ...]


def audit(
    warehouse: Warehouse, store: OperationsStore, *, progress: Progress, documents_dir: Path | None
) -> AuditReport:
    """Verify ledger, chain, totals and, with their folder, documents.

    Nothing is written; the caller holds the warehouse's lock.
    """
    wrong: list[WrongRow] = []
    with warehouse.connect(read_only=True) as session:
        there = tables_of(session, session.schema("ledger"))
        if there & set(_SEALS[1:]) and not there >= set(_SEALS):
            # nothing can be proved without them
            return AuditReport(0, 0, 0, 0, tuple(_gone(table) for table in _SEALS if table not in there))
        closes = _sealed_closes(session)
        sealed = {row["close_id"] for row in closes}
        unsealed = _unsealed_closes(session, sealed)
        wrong += _check_closes(session, sealed, unsealed)
        tables = _tables(session) if closes else {}
        if closes:
            wrong += _missing_tables(session, tables)
        rows_count = 0
        for number, (table, columns) in enumerate(tables.items(), start=1):
            count, differing = _check_rows(session, table, columns)
            rows_count += count
            wrong += differing
            progress.advanced(number, len(tables), "tables of the ledger")
        if closes:
            wrong += _check_outputs(session)
            wrong += _check_chain(closes, _outputs(session))
        # the earliest close first; within it rows before what is made of them
        wrong.sort(key=lambda row: row.close_id or 0)
        issued = issued_invoice_ids(session) + void_document_ids(session) if documents_dir is not None else []
    wrong += [
        WrongRow(None, "", "control totals outside of the warehouse", "", text)
        for text in lost_totals(warehouse, store, everything=True)
    ]
    documents_count = 0
    if documents_dir is not None:
        documents_count, differing = _check_documents(store, issued, documents_dir, progress)
        wrong += differing
    return AuditReport(len(sealed), len(unsealed), rows_count, documents_count, tuple(wrong))


def _sealed_closes(session: Session) -> list[dict[str, Any]]:
    ledger = session.schema("ledger")
    if not session.rows(
        "select 1 from information_schema.columns "
        "where table_schema = ? and table_name = 'ledger_close_organizations' and column_name = 'close_hash'",
        [ledger],
    ):
        return []
    columns = (*_CLOSE, "close_hash")
    text = [f"cast({name} as varchar)" if name in {"as_of"} else name for name in columns]
    return named_rows(
        session,
        f"select {', '.join(text)} from {ledger}.ledger_close_organizations "
        f"where close_hash is not null and close_id in (select close_id from {ledger}.closes) "
        "order by close_id, organization_id",
        columns,
    )


def _unsealed_closes(session: Session, sealed: Collection[int]) -> list[int]:
    rows = session.rows(f"select distinct close_id from {session.schema('ledger')}.closes order by 1")
    return [close_id for (close_id,) in rows if close_id not in sealed]


def _check_closes(session: Session, sealed: Collection[int], unsealed: Sequence[int]) -> Iterator[WrongRow]:
    """Commit rows that are there twice, and those without a seal behind a close that has one."""
    for (close_id,) in session.rows(
        f"select close_id from {session.schema('ledger')}.closes group by 1 having count(*) > 1 order by 1"
    ):
        yield WrongRow(close_id, "", "closes", f"close {close_id}", "is there more than once")
    for close_id in unsealed:
        if sealed and close_id > min(sealed):
            yield WrongRow(close_id, "", "closes", f"close {close_id}", "has no seal, and an earlier close has one")


def _gone(table: str, close_id: int | None = None) -> WrongRow:
    return WrongRow(close_id, "", table, "", "the table is missing")


def _missing_tables(session: Session, tables: Mapping[str, Sequence[str]]) -> list[WrongRow]:
    """Tables in which a close wrote rows and which are there no more."""
    rows = session.rows(
        f"select table_name, min(close_id) from {session.schema('ledger')}.ledger_row_hashes group by 1 order by 2, 1"
    )
    return [_gone(table, close_id) for table, close_id in rows if table not in tables]


def _tables(session: Session) -> dict[str, list[str]]:
    """The tables of the ledger that seals cover, with their columns by name."""
    tables: dict[str, list[str]] = {}
    for table, column in session.rows(
        "select table_name, column_name from information_schema.columns where table_schema = ? order by 1, 2",
        [session.schema("ledger")],
    ):
        if table in _grains() and table not in _SEALS:
            tables.setdefault(table, []).append(column)
    return {table: sorted(columns) for table, columns in tables.items()}


def _check_rows(session: Session, table: str, columns: Sequence[str]) -> tuple[int, list[WrongRow]]:
    """Each row's hash against the one that its close wrote, both ways."""
    ledger = session.schema("ledger")
    sealed = (
        f"(select close_id from {ledger}.ledger_close_organizations where close_hash is not null "
        f"and close_id in (select close_id from {ledger}.closes))"
    )
    text = " || ".join(_part(name) for name in columns if name != "close_id")
    hashed = f"sha256({text})" if session.kind == "duckdb" else f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
    key = " || ".join(_part(name) for name in _key(table))
    [(count,)] = session.rows(f"select count(*) from {ledger}.{table} where close_id in {sealed}")
    found = session.rows(
        f"""
        select
            coalesce(there.close_id, written.close_id),
            coalesce(there.organization_id, written.organization_id),
            coalesce(there.row_key, written.row_key),
            case
                when there.row_key is null then 'is missing'
                when written.row_key is null then 'was not written by its close'
                when there.copies > 1 then 'is there more than once'
                else 'was changed'
            end
        from (
            select close_id, organization_id, row_key, min(row_hash) as row_hash, count(*) as copies
            from (
                select close_id, organization_id, {key} as row_key, {hashed} as row_hash
                from {ledger}.{table} where close_id in {sealed}
            ) as hashed
            group by close_id, organization_id, row_key
        ) as there
        full outer join (
            select close_id, organization_id, row_key, row_hash
            from {ledger}.ledger_row_hashes where table_name = ? and close_id in {sealed}
        ) as written
            on there.close_id = written.close_id and there.organization_id = written.organization_id
            and there.row_key = written.row_key
        where there.row_hash is distinct from written.row_hash or there.copies > 1
        order by 1, 2, 3 limit {_ROWS_NAMED}
        """,
        [table],
    )
    return int(count), [
        WrongRow(close, organization, table, row_key, finding) for close, organization, row_key, finding in found
    ]


def _part(column: str) -> str:
    """A column of a row's text: nothing when it is null."""
    return (
        f"""coalesce('{column}=' || replace(replace(cast({column} as varchar), '\\', '\\\\'), '|', '\\|') || '|', '')"""
    )


def _key(table: str) -> list[str]:
    """The columns of a ledger table's key, by name, as its contract says."""
    grain = _grains()[table]
    return sorted(set(grain) - {"close_id", "organization_id"}) or ["organization_id"]


@cache
def _grains() -> dict[str, list[str]]:
    path = DBT_PROJECT_DIR / "models" / "ledger" / "_ledger__contracts.yml"
    contracts = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {model["name"]: model["config"]["meta"]["grain"] for model in contracts["models"]}


def _outputs(session: Session) -> dict[tuple[int, str], list[tuple[str, int, str]]]:
    """What each close says that it wrote: table, rows and hash, by table."""
    outputs: dict[tuple[int, str], list[tuple[str, int, str]]] = {}
    for close_id, organization, table, rows, hash_ in session.rows(
        "select close_id, organization_id, table_name, rows_count, output_hash "
        f"from {session.schema('ledger')}.ledger_output_hashes"
    ):
        outputs.setdefault((close_id, organization), []).append((table, int(rows), hash_))
    return {key: sorted(rows) for key, rows in outputs.items()}


def _check_outputs(session: Session) -> Iterator[WrongRow]:
    """The hash of each output against the hashes of its rows."""
    ledger = session.schema("ledger")
    order = "row_hash" if session.kind == "duckdb" else 'row_hash collate "C"'
    joined = f"string_agg(row_hash, '' order by {order})"
    hashed = f"sha256({joined})" if session.kind == "duckdb" else f"encode(sha256(convert_to({joined}, 'UTF8')), 'hex')"
    for close_id, organization, table in session.rows(
        f"""
        select coalesce(s.close_id, w.close_id), coalesce(s.organization_id, w.organization_id),
            coalesce(s.table_name, w.table_name)
        from (
            select close_id, organization_id, table_name, count(*) as rows_count, {hashed} as output_hash
            from {ledger}.ledger_row_hashes where close_id in (select close_id from {ledger}.closes)
            group by close_id, organization_id, table_name
        ) as s
        full outer join (
            select * from {ledger}.ledger_output_hashes where close_id in (select close_id from {ledger}.closes)
        ) as w
            on s.close_id = w.close_id and s.organization_id = w.organization_id and s.table_name = w.table_name
        where s.output_hash is distinct from w.output_hash or s.rows_count is distinct from w.rows_count
        order by 1, 2, 3 limit {_ROWS_NAMED}
        """
    ):
        yield WrongRow(
            close_id, organization, "ledger_output_hashes", table, "is not the hash of the rows that the close wrote"
        )


def _check_chain(
    closes: Sequence[Mapping[str, Any]], outputs: Mapping[tuple[int, str], list[tuple[str, int, str]]]
) -> Iterator[WrongRow]:
    """Each close's seal against its content and the seal before it."""
    previous: dict[str, str] = {}
    for row in closes:
        close_id, organization = row["close_id"], row["organization_id"]

        def wrong(finding: str, close_id: int = close_id, organization: str = organization) -> WrongRow:
            return WrongRow(close_id, organization, "ledger_close_organizations", f"close {close_id}", finding)

        written = "".join(
            f"{table} {rows} {hash_}|" for table, rows, hash_ in outputs.get((close_id, organization), [])
        )
        if _sha256(written) != row["outputs_hash"]:
            yield wrong("its outputs are not those that it was sealed with")
        if row["previous_close_hash"] != previous.get(organization):
            yield wrong("does not follow the close before it")
        text = "".join(
            f"{name}={str(row[name]).replace(chr(92), chr(92) * 2).replace('|', chr(92) + '|')}|"
            for name in sorted(_CLOSE)
            if row[name] is not None
        )
        if _sha256(text) != row["close_hash"]:
            yield wrong("its seal is not that of its content")
        previous[organization] = row["close_hash"]


def _check_documents(
    store: OperationsStore, issued: Sequence[str], documents_dir: Path, progress: Progress
) -> tuple[int, list[WrongRow]]:
    """Every file on record against its hash; every issued invoice that has files at all has all of them."""
    wrong = []
    documents = store.documents()
    mine = set(issued)
    of_warehouse = [document for document in documents if document.invoice_id in mine]
    for number, document in enumerate(of_warehouse, start=1):
        path = document_file(document, documents_dir)
        finding = None
        if not path.is_file():
            finding = "is missing"
        elif not is_as_issued(document, documents_dir):
            finding = "is not the file that was issued"
        if finding is not None:
            key = f"{document.number} ({document.format}: {path})"
            wrong.append(WrongRow(None, document.organization_id, "documents", key, finding))
        progress.advanced(number, len(of_warehouse), "documents")
    return len(of_warehouse), wrong


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
