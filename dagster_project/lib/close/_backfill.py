"""A period landed after the fact: as one batch, which can be taken back until a close has known it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster_project.lib.book import read_book
from dagster_project.lib.close._landing import LandingReport, land_books, land_calendar
from dagster_project.lib.close._scope import has_closes, naive_utc, prepare_warehouse
from dagster_project.lib.close._totals import check_totals
from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import open_store
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Warehouse
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES

_LOG = "withdrawn_batches"


@dataclass(frozen=True, slots=True)
class WithdrawnBatch:
    """A batch that was taken back, with what it held."""

    batch_id: int
    files_count: int
    landed_count: int


def backfill(warehouse: Warehouse, book: Path, *, now: datetime, progress: Progress) -> LandingReport:
    """Land what is new in a book, and close nothing. The caller holds the warehouse's lock.

    What was landed is written down outside of the warehouse by the close that first knows it. Raises BookError before
    anything is landed, BillingError when the warehouse lost something.
    """
    found = read_book(book)
    prepare_warehouse(warehouse)
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        check_totals(warehouse, store)
    report = land_books(warehouse, [found], landed_at=now, progress=progress)
    land_calendar(warehouse, last_year=now.year)
    return report


def withdraw(warehouse: Warehouse, *, now: datetime, reason: str | None = None) -> WithdrawnBatch:
    """Take back the newest batch in one transaction; that it was there stays in raw.withdrawn_batches.

    Raises InputError when there is none, or when a close, or the totals kept outside of the warehouse, know it.
    """
    prepare_warehouse(warehouse)
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        recorded = {total.batch_id for total in store.landing_totals(warehouse.schema_prefix)}
    with warehouse.connect() as session, session.transaction():
        raw, ledger = session.schema("raw"), session.schema("ledger")
        newest = session.rows(
            f"select batch_id, landed_at, book from {raw}.landing_batches order by batch_id desc limit 1"
        )
        if not newest:
            raise InputError("Nothing has been landed in this warehouse, so nothing can be taken back.")
        [(batch_id, landed_at, book)] = newest
        known = 0
        if has_closes(session):
            [(known,)] = session.rows(
                f"select coalesce(max(known_batch_id), 0) from {ledger}.ledger_close_organizations "
                f"where close_id in (select close_id from {ledger}.closes)"
            )
        if batch_id <= known or batch_id in recorded:
            raise InputError(
                f"Landing batch {batch_id} cannot be taken back: a close has billed knowing it. Correct its events by "
                "event_corrections instead; what they change is shown in marts.restatement."
            )
        [(files, landed)] = session.rows(
            f"select count(*), coalesce(sum(landed_count), 0) from {raw}.landed_files where batch_id = ?", [batch_id]
        )
        session.execute(
            f"create table if not exists {raw}.{_LOG} (batch_id bigint, landed_at timestamp, book varchar, "
            "files_count bigint, landed_count bigint, withdrawn_at timestamp, reason varchar)"
        )
        for table in RAW_TABLES:
            if "batch_id" in table.all_columns:
                session.execute(f"delete from {raw}.{table.name} where batch_id = ?", [batch_id])
        session.insert(
            f"{raw}.{_LOG}",
            ["batch_id", "landed_at", "book", "files_count", "landed_count", "withdrawn_at", "reason"],
            [(batch_id, landed_at, book, int(files), int(landed), naive_utc(now), reason)],
        )
    return WithdrawnBatch(int(batch_id), int(files), int(landed))
