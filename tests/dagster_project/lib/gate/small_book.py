"""A small book by hand, and a copy of its warehouse that a test may change.

One organisation bills two customers for January 2026: `steady` with 120 calls and `other` with 3, on a plan of 10.00
EUR a month and 0.50 EUR a call, with 20 % tax. One line of the file was a repetition and one could not be read.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.lib.dbt_runs import LEDGER_SELECTION, DbtRuns
from dagster_project.lib.gate import GateReport, run_gate
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import PostgresWarehouse, Session, Warehouse
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES_BY_NAME


def utc(year: int, month: int, day: int) -> datetime:
    """A midnight as the warehouse stores it: UTC without a zone."""
    return datetime(year, month, day, tzinfo=UTC).replace(tzinfo=None)


ALWAYS = utc(1, 1, 1)
START = utc(2026, 1, 1)
# what follows from raw tables that changed; the other views of staging stay as they are
COMPUTED = ("path:models/staging/ledger", "path:models/intermediate", "path:models/gate")


@dataclass(slots=True)
class Gatehouse:
    """A copy of the small book's warehouse that a test may change."""

    warehouse: Warehouse
    runs: DbtRuns
    docs_dir: Path

    def change(self, sql: str) -> None:
        """Run one statement; `{raw}`, `{gate}` and the like stand for the schemas."""
        with self.warehouse.connect() as session:
            schemas = {name: session.schema(name) for name in ("raw", "intermediate", "gate", "ledger")}
            session.execute(sql.format(**schemas))

    def damage_ledger(self, relation: str, sql: str) -> None:
        """Change a ledger's relation as only the owner of its tables can: PostgreSQL refuses every other change."""
        if isinstance(self.warehouse, PostgresWarehouse):
            sql = f"alter table {{ledger}}.{relation} disable trigger user; {sql}"
        self.change(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect(read_only=True) as session:
            schemas = {name: session.schema(name) for name in ("raw", "intermediate", "gate", "ledger")}
            return session.rows(sql.format(**schemas))

    def land(self, table: str, *rows: dict[str, Any]) -> None:
        with self.warehouse.connect() as session:
            land(session, table, *rows)

    def rebuild(self, *selection: str) -> None:
        self.runs.run(selection or COMPUTED)

    def finalise(self) -> None:
        self.runs.run(LEDGER_SELECTION)

    def gate(self, *, check_volume: bool = True) -> GateReport:
        return run_gate(self.warehouse, docs_dir=self.docs_dir, check_volume=check_volume, progress=SilentProgress())


def land(session: Session, table: str, *rows: dict[str, Any]) -> None:
    """Append rows to a raw table; columns that are not given are null, the batch is the first."""
    columns = list(RAW_TABLES_BY_NAME[table].all_columns)
    defaults = {"organization_id": "acme", "batch_id": 1, "record_hash": "", "source_file": "book", "source_line": 1}
    values = [[{**defaults, **row}.get(column) for column in columns] for row in rows]
    session.insert(f"{session.schema('raw')}.{table}", columns, values)


def calls(customer: str, count: int, first: datetime, *, file_id: int, batch_id: int = 1) -> list[dict[str, Any]]:
    """Events of a customer's subscription, a minute apart."""
    return [
        {
            "external_subscription_id": f"sub_{customer}",
            "transaction_id": f"{customer}_{file_id}_{number}",
            "code": "call",
            "event_at": first + timedelta(minutes=number),
            "properties": "{}",
            "file_id": file_id,
            "batch_id": batch_id,
            "line_number": number + 1,
        }
        for number in range(count)
    ]


def mark(
    file_id: int, path: str, *, landed: int, duplicates: int = 0, rejected: int = 0, batch_id: int = 1
) -> dict[str, Any]:
    """The mark of a file."""
    return {
        "file_id": file_id,
        "batch_id": batch_id,
        "file_path": path,
        "lines_count": landed + duplicates + rejected,
        "landed_count": landed,
        "duplicates_count": duplicates,
        "conflicts_count": 0,
        "rejected_count": rejected,
    }


def scope(close_id: int, as_of: datetime, batch_id: int = 1) -> dict[str, Any]:
    """A close's scope of the one organisation."""
    return {"close_id": close_id, "as_of": as_of, "known_batch_id": batch_id, "started_at": as_of, "book_version": "1"}


def land_small_book(session: Session) -> None:
    land(session, "landing_batches", {"batch_id": 1, "landed_at": START, "book": "small", "book_version": "1"})
    land(session, "organizations", {"organization_name": "Acme", "timezone": "UTC", "default_currency": "EUR"})
    land(
        session,
        "taxes",
        {
            "tax_code": "vat",
            "effective_at": ALWAYS,
            "tax_name": "VAT",
            "tax_rate": "20",
            "applied_to_organization": True,
        },
    )
    land(
        session,
        "billable_metrics",
        {
            "billable_metric_code": "calls",
            "effective_at": ALWAYS,
            "event_code": "call",
            "aggregation_type": "count_agg",
            "is_recurring": False,
        },
    )
    for plan, price in (("basic", "0.50"), ("special", "0.50")):
        land(
            session,
            "plans",
            {
                "plan_code": plan,
                "effective_at": ALWAYS,
                "plan_name": plan.title(),
                "plan_interval": "monthly",
                "amount_cents": 1000,
                "amount_currency": "EUR",
                "is_pay_in_advance": False,
                "bill_charges_monthly": False,
                "position": 1,
            },
        )
        land(
            session,
            "charges",
            {
                "plan_code": plan,
                "effective_at": ALWAYS,
                "charge_code": "calls",
                "position": 1,
                "billable_metric_code": "calls",
                "charge_model": "standard",
                "is_pay_in_advance": False,
                "is_invoiceable": True,
                "is_prorated": False,
            },
        )
        land(
            session,
            "charge_filters",
            {"plan_code": plan, "effective_at": ALWAYS, "charge_code": "calls", "filter_position": 0, "amount": price},
        )
    for customer, plan in (("steady", "basic"), ("other", "special")):
        land(session, "customers", {"external_customer_id": customer, "customer_name": customer.title()})
        land(
            session,
            "subscriptions",
            {
                "external_subscription_id": f"sub_{customer}",
                "created_at": START,
                "external_customer_id": customer,
                "plan_code": plan,
                "billing_time": "calendar",
                "subscription_at": START,
            },
        )
    land(
        session,
        "timezone_offsets",
        {"timezone": "UTC", "valid_from_at": ALWAYS, "valid_to_at": utc(9999, 12, 31), "utc_offset_seconds": 0},
    )
    days = [date(2025, 12, 1) + timedelta(days=number) for number in range(200)]
    land(
        session,
        "local_days",
        *(
            {"timezone": "UTC", "local_date": day, "started_at": day, "ended_at": day + timedelta(days=1)}
            for day in days
        ),
    )
    land(session, "usage_events", *calls("steady", 120, START, file_id=1), *calls("other", 3, START, file_id=1))
    land(session, "duplicate_events", {"file_id": 1, "line_number": 124})
    land(session, "quarantined_events", {"file_id": 1, "line_number": 125, "reason_code": "not_json", "raw_text": "{"})
    land(session, "landed_files", mark(1, "january.jsonl", landed=123, duplicates=1, rejected=1))
    land(session, "close_scope", scope(1, utc(2026, 2, 2)))
