"""A past close derived again, or the next one tried: in schemas of its own, without touching the ledger.

The scratch schemas see the raw tables of the warehouse through views and begin with the ledger as it was before the
close. The same models fill them, so what comes out is what the close wrote (or would write, knowing more or less).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from dagster_project.lib.close._scope import (
    CloseScope,
    has_closes,
    known_batch,
    naive_utc,
    open_close,
    prepare_warehouse,
)
from dagster_project.lib.close._top_ups import perform_top_ups
from dagster_project.lib.dbt_runs import LEDGER_SELECTION, RATING_SELECTION, DbtRuns
from dagster_project.lib.errors import InputError
from dagster_project.lib.ledger import IssuedInvoice, issued_invoice_ids, issued_invoices, void_document_ids
from dagster_project.lib.progress import Progress, Steps
from dagster_project.lib.warehouse import (
    DuckDBWarehouse,
    PostgresWarehouse,
    Session,
    Warehouse,
    split_schema,
    tables_of,
)
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES

_OWN_TABLES = ("close_scope", "close_steps", "close_top_ups")
# how many invoices are read at a time
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class InvoiceDifference:
    """An invoice that came out otherwise: its totals then and now in minor units; null where it does not exist."""

    organization_id: str
    external_customer_id: str
    invoice_id: str
    number: str | None
    currency: str
    exponent: int
    recorded_total_cents: int | None
    derived_total_cents: int | None


@dataclass(frozen=True, slots=True)
class RestatedCustomer:
    """What a close finds changed in a customer's billed periods, by cause and outcome; minor units, signed."""

    organization_id: str
    external_customer_id: str
    cause: str
    outcome: str
    currency: str
    exponent: int
    periods_count: int
    difference_cents: int


class HeldCustomer(NamedTuple):
    """A customer that a close left waiting: the first of the rules that it fails, and the rows that fail any."""

    organization_id: str
    external_customer_id: str
    rule: str
    findings_count: int


@dataclass(frozen=True, slots=True)
class Rederivation:
    """What came out: the hashes by organisation and table then and now, the invoices that differ or are new, who waits."""

    scope: CloseScope
    is_past: bool
    recorded: Mapping[tuple[str, str], tuple[int, str]]
    derived: Mapping[tuple[str, str], tuple[int, str]]
    differences: tuple[InvoiceDifference, ...]
    invoices: tuple[IssuedInvoice, ...]
    restatements: tuple[RestatedCustomer, ...]
    held: tuple[HeldCustomer, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every row came out as it was recorded."""
        return self.recorded == self.derived


def rederive(
    warehouse: Warehouse,
    home: Path,
    *,
    close_id: int | None,
    as_of: datetime | None,
    known_at: str | None,
    now: datetime,
    progress: Progress,
    override_reason: str | None = None,
) -> Rederivation:
    """Derive close `close_id` again from the ledger before it, or, without a number, try the next close.

    `as_of` and `known_at` replace what the close had (for the next close: now, and everything landed). With an `as_of`
    that earlier closes had billed, it begins with the ledger before those, and is compared with the first of them. The
    caller holds the warehouse's lock. Raises InputError when there is no such close.
    """
    steps = Steps(progress)
    # a warehouse of an earlier version gets the tables and columns that came since
    prepare_warehouse(warehouse)
    with warehouse.connect(read_only=True) as session:
        past = _past_scope(session, close_id)
        batch = known_batch(session, known_at) if known_at is not None else None
        if close_id is not None and as_of is not None and any(row.as_of != as_of for row in past.values()):
            close_id = min(close_id, _first_up_to(session, as_of) or close_id)
    with _scratch(warehouse) as scratch:
        with steps.step("scope"), scratch.connect() as session:
            is_seeded = _is_seeded(session, split_schema(warehouse.schema_prefix, "reference"))
            _fill(session, warehouse.schema_prefix, before=close_id, with_reference=is_seeded)
            scope = open_close(
                session,
                as_of=as_of or ({name: row.as_of for name, row in past.items()} if past else now),
                known_at=None,
                known_batch_id=batch if batch is not None else max((row.batch for row in past.values()), default=None),
                started_at=now,
                override_reasons={name: row.override_reason for name, row in past.items()} if past else override_reason,
                code_versions={name: row.code_version for name, row in past.items()},
            )
        runs = DbtRuns(scratch, home / "dbt" / f"scratch-{warehouse.kind}", on_node=progress.advanced)
        with steps.step("rate"):
            if not is_seeded:
                runs.seed()
            runs.run(RATING_SELECTION)
            perform_top_ups(scratch, runs, RATING_SELECTION)
        with steps.step("derive"):
            runs.run(LEDGER_SELECTION)
        with scratch.connect(read_only=True) as session:
            derived = output_hashes(session, scope.close_id)
            new = _invoices(session, scope.close_id)
            documents = _documents(session, scope.close_id)
            restated = _restatements(session)
            held = held_customers(session, scope.close_id)
    with warehouse.connect(read_only=True) as session:
        recorded = output_hashes(session, scope.close_id) if close_id is not None else {}
        old = _invoices(session, scope.close_id) if close_id is not None else {}
    return Rederivation(
        scope,
        close_id is not None,
        recorded,
        derived,
        tuple(_differences(old, new)),
        documents,
        restated,
        held,
    )


def _documents(session: Session, close_id: int) -> tuple[IssuedInvoice, ...]:
    """What documents of a close are made from, those of its voids last; read some at a time."""
    keys = issued_invoice_ids(session, close_id=close_id) + void_document_ids(session, close_id=close_id)
    chunks = (keys[begin : begin + _CHUNK] for begin in range(0, len(keys), _CHUNK))
    return tuple(invoice for chunk in chunks for invoice in issued_invoices(session, chunk))


@dataclass(frozen=True, slots=True)
class _Past:
    as_of: datetime
    batch: int
    override_reason: str | None
    code_version: str


def _past_scope(session: Session, close_id: int | None) -> dict[str, _Past]:
    if close_id is None:
        return {}
    ledger = session.schema("ledger")
    rows = (
        session.rows(
            "select organization_id, as_of, known_batch_id, override_reason, code_version "
            f"from {ledger}.ledger_close_organizations where close_id = ? "
            f"and close_id in (select close_id from {ledger}.closes)",
            [close_id],
        )
        if has_closes(session)
        else []
    )
    if not rows:
        raise InputError(f"There is no close {close_id} in this warehouse; marts.fct_close lists them.")
    return {
        name: _Past(moment.replace(tzinfo=UTC), int(batch), reason, code) for name, moment, batch, reason, code in rows
    }


def close_up_to(warehouse: Warehouse, as_of: datetime) -> int:
    """The close that billed a time: the first one up to it, or later. Raises InputError when none has."""
    with warehouse.connect(read_only=True) as session:
        found = _first_up_to(session, as_of) if has_closes(session) else None
    if found is None:
        raise InputError(
            f"--as-of {as_of.isoformat()}: no close has billed up to then. `meterhouse close --dry-run --as-of TIME` shows "
            "what the next one would give."
        )
    return found


def _first_up_to(session: Session, as_of: datetime) -> int | None:
    ledger = session.schema("ledger")
    [(close_id,)] = session.rows(
        f"select min(close_id) from {ledger}.ledger_close_organizations where as_of >= ? "
        f"and close_id in (select close_id from {ledger}.closes)",
        [naive_utc(as_of)],
    )
    return None if close_id is None else int(close_id)


@contextmanager
def _scratch(warehouse: Warehouse) -> Iterator[Warehouse]:
    """Schemas of a fixed name, so that dbt keeps its parse; the warehouse's lock keeps others out."""
    if not isinstance(warehouse, DuckDBWarehouse | PostgresWarehouse):
        raise InputError(f"{warehouse} is of a kind in which nothing can be derived again.")
    name = "scratch" if warehouse.schema_prefix in {"main", "public"} else f"{warehouse.schema_prefix}_scratch"
    scratch = replace(warehouse, schema=name)
    scratch.drop_schemas()
    try:
        yield scratch
    finally:
        scratch.drop_schemas()


def _is_seeded(session: Session, reference: str) -> bool:
    """Whether the warehouse has the reference tables, which its first close loads."""
    return "loaded_version" in tables_of(session, reference) and bool(
        session.rows(f"select version from {reference}.loaded_version")
    )


def _fill(session: Session, prefix: str, *, before: int | None, with_reference: bool) -> None:
    """Raw and reference tables as views, the ledger as it was before a close as tables."""
    real = {name: split_schema(prefix, name) for name in ("raw", "reference", "ledger")}
    with session.transaction():
        for name in real:
            session.execute(f"create schema {session.schema(name)}")
        for table in RAW_TABLES:
            target = f"{session.schema('raw')}.{table.name}"
            if table.name in _OWN_TABLES:
                columns = ", ".join(f"{name} {type_}" for name, type_ in table.all_columns.items())
                session.execute(f"create table {target} ({columns})")
            else:
                session.execute(f"create view {target} as select * from {real['raw']}.{table.name}")
        for table_name in sorted(tables_of(session, real["reference"])) if with_reference else ():
            view = f"{session.schema('reference')}.{table_name}"
            session.execute(f"create view {view} as select * from {real['reference']}.{table_name}")
        committed = f"close_id in (select close_id from {real['ledger']}.closes)"
        if before is not None:
            committed += f" and close_id < {int(before)}"
        for table_name in sorted(tables_of(session, real["ledger"])):
            session.execute(
                f"create table {session.schema('ledger')}.{table_name} as "
                f"select * from {real['ledger']}.{table_name} where {committed}"
            )


def output_hashes(session: Session, close_id: int) -> dict[tuple[str, str], tuple[int, str]]:
    """Rows and hash of what a close wrote, by organisation and table of the ledger."""
    return {
        (organization, table): (int(rows), hash_)
        for organization, table, rows, hash_ in session.rows(
            "select organization_id, table_name, rows_count, output_hash "
            f"from {session.schema('ledger')}.ledger_output_hashes where close_id = ?",
            [close_id],
        )
    }


def held_customers(session: Session, close_id: int) -> tuple[HeldCustomer, ...]:
    """Whom a close left waiting."""
    return tuple(
        HeldCustomer(organization, customer, rule, int(count))
        for organization, customer, rule, count in session.rows(
            "select organization_id, external_customer_id, min(rule), count(*) "
            f"from {session.schema('ledger')}.ledger_held_customers where close_id = ? group by 1, 2 order by 1, 2",
            [close_id],
        )
    )


def _restatements(session: Session) -> tuple[RestatedCustomer, ...]:
    return tuple(
        RestatedCustomer(organization, customer, cause, outcome, currency, int(exponent), int(periods), int(cents))
        for organization, customer, cause, outcome, currency, exponent, periods, cents in session.rows(
            "select organization_id, external_customer_id, cause, outcome, currency, max(currency_exponent), "
            f"count(distinct moment_id), sum(difference_amount_cents) from {session.schema('intermediate')}."
            "int_restatements group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"
        )
    )


def _invoices(session: Session, close_id: int) -> dict[str, tuple[str, str, str | None, str, int, int]]:
    return {
        invoice_id: (organization, customer, number, currency, int(exponent), int(total))
        for invoice_id, organization, customer, number, currency, exponent, total in session.rows(
            "select invoice_id, organization_id, external_customer_id, invoice_number, currency, currency_exponent, "
            f"total_amount_cents from {session.schema('ledger')}.ledger_invoices where close_id = ?",
            [close_id],
        )
    }


def _differences(
    old: Mapping[str, tuple[str, str, str | None, str, int, int]],
    new: Mapping[str, tuple[str, str, str | None, str, int, int]],
) -> Iterator[InvoiceDifference]:
    keys: Sequence[str] = sorted(old.keys() | new.keys(), key=lambda key: ((new.get(key) or old[key])[:2], key))
    for key in keys:
        if old.get(key) == new.get(key):
            continue
        organization, customer, number, currency, exponent, _ = new.get(key) or old[key]
        yield InvoiceDifference(
            organization,
            customer,
            key,
            number,
            currency,
            exponent,
            old[key][-1] if key in old else None,
            new[key][-1] if key in new else None,
        )
