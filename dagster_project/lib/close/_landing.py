"""Landing of a book: its catalogue and accounts as new versions, its events file by file, in one numbered batch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.lib.book import Book
from dagster_project.lib.close._scope import naive_utc
from dagster_project.lib.landing import LandedFile, land_events
from dagster_project.lib.landing.records import RecordCounts, land_records
from dagster_project.lib.landing.time_tables import land_time_tables
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Session, Warehouse
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES

_ZONE_SOURCES = (
    ("organizations", "timezone"),
    ("billing_entities", "timezone"),
    ("customers", "timezone"),
    ("customer_timezone_changes", "timezone"),
)
# a period's calendar reaches a year before a start and a year after as_of
_YEARS_AROUND = 2


@dataclass(frozen=True, slots=True)
class LandingReport:
    """What one landing did; `batch_id` is null when nothing was new."""

    batch_id: int | None
    records: RecordCounts
    files: tuple[LandedFile, ...]

    @property
    def lines_count(self) -> int:
        """How many lines the files had that were new."""
        return sum(file.lines_count for file in self.files)


def land_books(
    warehouse: Warehouse, books: Sequence[Book], *, landed_at: datetime, progress: Progress
) -> LandingReport:
    """Land books as one batch; what was landed before is recognised by its content and not taken again.

    Records and each file are transactions of their own; the batch counts once its own row is written, last. An
    interrupted batch is taken up again under its number.
    """
    moment = naive_utc(landed_at)
    with warehouse.connect() as session:
        raw = session.schema("raw")
        [(batch_id,)] = session.rows(f"select coalesce(max(batch_id), 0) + 1 from {raw}.landing_batches")
        with session.transaction():
            _forget_records(session, batch_id)
            records = land_records(session, [record for book in books for record in book.records], batch_id=batch_id)
        organizations = [
            name for (name,) in session.rows(f"select distinct organization_id from {raw}.organizations order by 1")
        ]
    progress.note(f"{records.new} new and {records.changed} changed records, {records.unchanged} as before")
    for vanished in records.vanished[:20]:
        progress.note(f"no longer in the book, kept as landed: {vanished.table} {' '.join(map(str, vanished.key))}")
    files = land_events(
        warehouse,
        [source for book in books for source in book.event_sources],
        batch_id=batch_id,
        landed_at=moment,
        organizations=organizations,
        progress=progress.note,
    )
    with warehouse.connect() as session, session.transaction():
        if not _has_content(session, batch_id):
            return LandingReport(None, records, tuple(files))
        session.insert(
            f"{session.schema('raw')}.landing_batches",
            ["batch_id", "landed_at", "book", "book_version"],
            [
                (
                    batch_id,
                    moment,
                    ", ".join(book.path.name for book in books)[:200],
                    _version(books),
                )
            ],
        )
    return LandingReport(batch_id, records, tuple(files))


def land_calendar(warehouse: Warehouse, *, last_year: int) -> None:
    """Fill the time tables for the zones that the landed books use, from two years before their first start."""
    with warehouse.connect() as session, session.transaction():
        raw = session.schema("raw")
        zones = {"UTC"}
        for table, column in _ZONE_SOURCES:
            zones |= {
                zone for (zone,) in session.rows(f"select distinct {column} from {raw}.{table}") if zone is not None
            }
        [(first,)] = session.rows(f"select min(least(subscription_at, created_at)) from {raw}.subscriptions")
        first_year = (first.year if first is not None else last_year) - _YEARS_AROUND
        land_time_tables(session, sorted(zones), first_year=first_year, last_year=last_year + _YEARS_AROUND)


def _has_content(session: Session, batch_id: int) -> bool:
    """Whether the batch holds a record or a file, also from before an interruption."""
    raw = session.schema("raw")
    tables = [table.name for table in RAW_TABLES if table.kind == "record" and table.parent is None]
    tests = [f"exists (select 1 from {raw}.{table} where batch_id = ?)" for table in [*tables, "landed_files"]]
    [(found,)] = session.rows(f"select {' or '.join(tests)}", [batch_id] * len(tests))
    return bool(found)


def _forget_records(session: Session, batch_id: int) -> None:
    """Take back the records of an interrupted batch, which nobody has seen: the book may have changed since."""
    raw = session.schema("raw")
    for table in RAW_TABLES:
        if table.kind == "record":
            session.execute(f"delete from {raw}.{table.name} where batch_id = ?", [batch_id])


def _version(books: Sequence[Book]) -> str:
    """sha256 over the contents of the books, independent of their order."""
    return hashlib.sha256(" ".join(sorted(book.content_hash for book in books)).encode()).hexdigest()
