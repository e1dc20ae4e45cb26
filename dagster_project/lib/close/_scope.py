"""The scope of a close: which organisations are billed up to when, knowing which landing batches."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from dagster_project.lib.dbt_runs import DBT_PROJECT_DIR
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.warehouse import Session, Warehouse, tables_of

# what a line comes to depends on; invoicing, gate, ledger and marts come after it
_RATING_FOLDERS = (
    "macros",
    "models/staging",
    "models/intermediate/accounts",
    "models/intermediate/periods",
    "models/intermediate/metering",
    "models/intermediate/rating",
)
_LATER_FOLDER = "macros/settlement"
_COMMENTS = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
# the columns of the model `closes`: the table exists before the first close, so that a missing one is noticed
_CLOSES_COLUMNS = (
    "close_id bigint, started_at timestamp, book_version varchar, code_version varchar, "
    "organizations_count bigint, invoices_count bigint, engine varchar"
)


@dataclass(frozen=True, slots=True)
class CloseScope:
    """One close: its number, what each organisation is billed up to (UTC) and the newest batch that is known."""

    close_id: int
    as_of: Mapping[str, datetime]
    known_batch_id: int
    book_version: str


def code_version() -> str:
    """The version of Meterhouse that runs, and of the SQL that makes usage and prices into lines.

    The second part changes only when that SQL does: comments and white space are left out.
    """
    try:
        released = version("meterhouse")
    except PackageNotFoundError:
        released = "unknown"
    return f"{released}+{_rating_version()}"


@cache
def _rating_version() -> str:
    hashed = hashlib.sha256()
    for folder in _RATING_FOLDERS:
        for path in sorted((DBT_PROJECT_DIR / folder).rglob("*.sql")):
            if path.is_relative_to(DBT_PROJECT_DIR / _LATER_FOLDER):
                continue
            text = rating_text(path.read_text(encoding="utf-8"))
            hashed.update(f"{path.relative_to(DBT_PROJECT_DIR)} {text}\n".encode())
    return hashed.hexdigest()[:12]


def rating_text(sql: str) -> str:
    """A model or macro without its comments, and with one space in place of any white space."""
    return " ".join(_COMMENTS.sub(" ", sql).split())


def prepare_warehouse(warehouse: Warehouse) -> None:
    """Create what is missing of the schemas `raw` and `ledger`.

    Raises BillingError when the ledger has tables but no `closes`: without the commit rows a close would take every
    finalised row for the leftovers of a killed one.
    """
    warehouse.create_raw_tables()
    with warehouse.connect() as session, session.transaction():
        ledger = session.schema("ledger")
        session.execute(f"create schema if not exists {ledger}")
        tables = tables_of(session, ledger)
        if "closes" not in tables and "ledger_invoices" in tables:
            raise BillingError(
                f"The ledger of {warehouse} has invoices, but its table {ledger}.closes with the commit rows is "
                "missing. Nothing was changed. Restore the table (or the warehouse) from a backup before closing again."
            )
        session.execute(f"create table if not exists {ledger}.closes ({_CLOSES_COLUMNS})")


def known_batch(session: Session, known_at: str | None) -> int:
    """The newest batch that a close may know; `known_at` is null (all), a close's number or an RFC 3339 time.

    Raises InputError when the close does not exist, the time cannot be read, or nothing had landed by then.
    """
    raw, ledger = session.schema("raw"), session.schema("ledger")
    if known_at is None:
        [(batch,)] = session.rows(f"select coalesce(max(batch_id), 0) from {raw}.landing_batches")
        return int(batch)
    if known_at.isascii() and known_at.isdigit() and len(known_at) < 19:
        found = has_closes(session) and session.rows(
            f"select max(known_batch_id) from {ledger}.ledger_close_organizations "
            f"where close_id = ? and close_id in (select close_id from {ledger}.closes)",
            [int(known_at)],
        )
        if not found or found[0][0] is None:
            raise InputError(f"--known-at {known_at}: there is no close {known_at} in this warehouse.")
        return int(found[0][0])
    moment = parse_time(known_at, "--known-at")
    [(batch,)] = session.rows(
        f"select coalesce(max(batch_id), 0) from {raw}.landing_batches where landed_at <= ?",
        [naive_utc(moment)],
    )
    if not batch:
        raise InputError(f"--known-at {known_at}: nothing had landed by then; raw.landing_batches says when what did.")
    return int(batch)


def open_close(
    session: Session,
    *,
    as_of: datetime | Mapping[str, datetime],
    known_at: str | None,
    started_at: datetime,
    known_batch_id: int | None = None,
    override_reasons: Mapping[str, str | None] | str | None = None,
    code_versions: Mapping[str, str] | None = None,
) -> CloseScope:
    """Write the scope of the next close: every organisation known, or those named in `as_of`.

    An organisation that was closed up to a later time stays there: what was billed since would count as wrong.
    `known_batch_id` goes before `known_at`. `override_reasons`: why incomplete sources are no reason to
    wait, for all organisations or by organisation. `code_versions`: which code a close that is derived again was made
    by, by organisation. Raises InputError when no organisation has landed.
    """
    raw, ledger = session.schema("raw"), session.schema("ledger")
    batch = known_batch(session, known_at) if known_batch_id is None else known_batch_id
    moments = _moments(session, as_of, batch)
    [(last_close,)] = session.rows(f"select coalesce(max(close_id), 0) from {ledger}.closes")
    versions = session.rows(
        f"select book_version from {raw}.landing_batches where batch_id <= ? order by batch_id desc limit 1",
        [batch],
    )
    code = code_version()
    scope = CloseScope(int(last_close) + 1, moments, batch, versions[0][0] if versions else "")
    with session.transaction():
        session.execute(f"delete from {raw}.close_scope")
        session.execute(f"delete from {raw}.close_top_ups")
        session.insert(
            f"{raw}.close_scope",
            [
                "close_id",
                "organization_id",
                "as_of",
                "known_batch_id",
                "started_at",
                "book_version",
                "code_version",
                "override_reason",
            ],
            [
                (
                    scope.close_id,
                    name,
                    naive_utc(moment),
                    batch,
                    naive_utc(started_at),
                    scope.book_version,
                    (code_versions or {}).get(name) or code,
                    override_reasons.get(name) if isinstance(override_reasons, Mapping) else override_reasons,
                )
                for name, moment in moments.items()
            ],
        )
    return scope


def has_closes(session: Session) -> bool:
    """Whether the ledger has the table of what closes covered, which the first close makes."""
    return "ledger_close_organizations" in tables_of(session, session.schema("ledger"))


def _moments(session: Session, as_of: datetime | Mapping[str, datetime], batch: int) -> dict[str, datetime]:
    """Up to when each organisation that had landed by a batch is billed (UTC). Raises InputError when there is none."""
    landed = session.rows(
        f"select distinct organization_id from {session.schema('raw')}.organizations where batch_id <= ? order by 1",
        [batch],
    )
    asked = {
        name: as_of[name] if isinstance(as_of, Mapping) else as_of
        for (name,) in landed
        if not isinstance(as_of, Mapping) or name in as_of
    }
    if not asked:
        raise InputError("No organisation has landed in this warehouse yet. Give --book DIR with a book.yaml.")
    closed = _closed_up_to(session)
    return {name: max(moment, closed.get(name, moment)) for name, moment in asked.items()}


def _closed_up_to(session: Session) -> Mapping[str, datetime]:
    """Up to when each organisation was closed (UTC)."""
    ledger = session.schema("ledger")
    if not has_closes(session):
        return {}
    rows = session.rows(
        f"select organization_id, max(as_of) from {ledger}.ledger_close_organizations "
        f"where close_id in (select close_id from {ledger}.closes) group by organization_id"
    )
    return {name: moment.replace(tzinfo=UTC) for name, moment in rows}


def naive_utc(moment: datetime) -> datetime:
    """An aware time as the warehouse stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def parse_time(text: str, option: str) -> datetime:
    """An RFC 3339 time or a date (its first instant in UTC). Raises InputError naming the option."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option} {text!r} is not a time. Write it as 2026-10-01T06:00:00Z (or a date, meaning midnight UTC)."
        ) from None
    if not 1900 <= moment.year < 2200:
        raise InputError(f"{option} {text!r} is out of range. Give a time from 1900 to 2199.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
