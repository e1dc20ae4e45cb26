"""Random organisations whose subscriptions start, change and end in every way that a book can say."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.lib.book import Book, read_case
from dagster_project.lib.close import (
    land_books,
    land_calendar,
    open_close,
    prepare_warehouse,
    rate_candidates,
    seed_reference,
)
from dagster_project.lib.dbt_runs import LEDGER_SELECTION, RATING_SELECTION, DbtRuns
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import Warehouse

ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/Santiago",
    "Australia/Lord_Howe",
)
INTERVALS = ("weekly", "monthly", "quarterly", "semiannual", "yearly")
Row = dict[str, Any]


def instant(moment: datetime) -> str:
    """A moment as a book writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def random_moment(rng: random.Random, first: datetime, last: datetime) -> datetime:
    """A moment between two, often at a full hour, where boundaries are."""
    moment = first + timedelta(seconds=rng.randrange(max(int((last - first).total_seconds()), 1)))
    return moment.replace(minute=0, second=0) if rng.random() < 0.4 else moment


def random_plan(rng: random.Random, code: str, *, rich: bool) -> Row:
    """A plan; a rich one has charges, fixed charges and a commitment."""
    plan: Row = {
        "code": code,
        "name": code,
        "interval": rng.choice(INTERVALS),
        "amount_cents": rng.choice([0, 999, 3100, 10000, 36500]),
        "amount_currency": "EUR",
        "pay_in_advance": rng.random() < 0.5,
        "trial_period": rng.choice([0, 0, 0, 0, 3, 10, 40]),
    }
    if rich:
        plan["bill_charges_monthly"] = rng.random() < 0.3
        plan["bill_fixed_charges_monthly"] = rng.random() < 0.2
        plan["charges"] = [
            {
                "code": f"{code}_calls",
                "billable_metric_code": "calls",
                "charge_model": "standard",
                "properties": {"amount": "0.37"},
            }
        ]
        plan["fixed_charges"] = [
            {
                "code": f"{code}_{number}",
                "add_on_code": f"seat_{number}",
                "charge_model": "standard",
                "units": str(rng.randrange(1, 20)),
                "pay_in_advance": rng.random() < 0.5,
                "prorated": rng.random() < 0.5,
                "properties": {"amount": "7"},
            }
            for number in range(rng.randrange(3))
        ]
        if rng.random() < 0.3:
            plan["phases"] = [{"after_periods": rng.randrange(1, 4), "amount_cents": 5000}]
        if rng.random() < 0.4:
            plan["minimum_commitment"] = {"amount_cents": rng.choice([5000, 100000])}
    return plan


def random_rows(rng: random.Random, plans: Sequence[str], first: datetime, last: datetime) -> list[Row]:
    """The rows of one subscription id: a start, and changes, ends and new starts after it."""
    created = random_moment(rng, first, first + (last - first) / 2)
    starts = created + timedelta(days=rng.choice([0, 0, 0, 0, -1, -20, -70, 1, 9]))
    rows: list[Row] = [
        {
            "external_id": "sub",
            "external_customer_id": "cust",
            "plan_code": rng.choice(plans),
            "billing_time": rng.choice(["calendar", "anniversary"]),
            "created_at": instant(created),
            "subscription_at": instant(starts),
        }
    ]
    at = created
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        at += timedelta(seconds=rng.choice([rng.randrange(60, 40000), rng.randrange(40000, 6_000_000)]))
        if at >= last:
            break
        ended = rng.random() < 0.3
        if ended:
            rows[-1]["terminated_at"] = instant(at - timedelta(seconds=rng.choice([0, 1, 7200])))
            if rows[-1]["terminated_at"] < rows[-1]["created_at"]:
                rows[-1]["terminated_at"] = instant(at)
        rows.append(
            {
                "external_id": "sub",
                "external_customer_id": "cust",
                "plan_code": rng.choice(plans),
                "billing_time": rng.choice(["calendar", "anniversary"]),
                "created_at": instant(at),
                "subscription_at": instant(starts if ended and rng.random() < 0.3 else at),
            }
        )
    end = rng.random()
    if end < 0.25:
        rows[-1]["terminated_at"] = instant(random_moment(rng, at, last))
    elif end < 0.5:
        rows[-1]["ending_at"] = instant(max(at, starts) + timedelta(days=rng.randrange(2, 120)))
    return rows


def random_book(seed: int, first: datetime, last: datetime, *, rich: bool) -> Row:
    """The content of a case: one organisation with one customer and one subscription id."""
    rng = random.Random(seed)
    plans = [random_plan(rng, code, rich=rich) for code in ("red", "green", "blue")]
    rows = random_rows(rng, [plan["code"] for plan in plans], first, last)
    customer: Row = {"external_id": "cust", "name": "Cust", "currency": "EUR", "timezone": rng.choice(ZONES)}
    given: Row = {
        "organization": {"name": "Org", "timezone": "UTC", "default_currency": "EUR", "document_number_prefix": "ORG"},
        "plans": plans,
        "customers": [customer],
        "subscriptions": rows,
    }
    if rich:
        if rng.random() < 0.3:
            customer["timezone_changes"] = [
                {"timezone": rng.choice(ZONES), "effective_at": instant(random_moment(rng, first, last))}
            ]
        for row in rows:
            codes = [
                charge["code"] for plan in plans if plan["code"] == row["plan_code"] for charge in plan["fixed_charges"]
            ]
            if codes and rng.random() < 0.5:
                changes = {
                    instant(random_moment(rng, first, last)): str(rng.randrange(0, 30))
                    for _ in range(rng.randrange(1, 4))
                }
                row["fixed_charge_units"] = [
                    {"code": rng.choice(codes), "units": units, "effective_at": at}
                    for at, units in sorted(changes.items())
                ]
            if rng.random() < 0.3:
                paused = random_moment(rng, first, last)
                row["pauses"] = [
                    {"from": instant(paused), "to": instant(paused + timedelta(days=rng.randrange(1, 50)))}
                ]
        if rng.random() < 0.3:
            given["rate_cards"] = [
                {
                    "external_customer_id": "cust",
                    "plan_code": rng.choice(plans)["code"],
                    "effective_at": instant(random_moment(rng, first, last)),
                    "amount_cents": 4200,
                }
            ]
        given["taxes"] = [{"code": "vat", "name": "VAT", "rate": "20", "applied_to_organization": True}]
        given["add_ons"] = [
            {"code": f"seat_{number}", "name": "Seat", "amount_cents": 700, "amount_currency": "EUR"}
            for number in range(3)
        ]
        given["billable_metrics"] = [
            {"code": "calls", "name": "Calls", "aggregation_type": "sum_agg", "field_name": "n"}
        ]
        given["events"] = [
            {
                "transaction_id": f"t{number}",
                "external_subscription_id": "sub",
                "code": "calls",
                "timestamp": instant(random_moment(rng, first, last)),
                "properties": {"n": str(rng.randrange(1, 9))},
            }
            for number in range(40)
        ]
        if rng.random() < 0.4:
            # a charge whose fees have no invoice until they are paid
            for plan in plans:
                plan["charges"].append(
                    {
                        "code": f"{plan['code']}_alone",
                        "billable_metric_code": "calls",
                        "charge_model": "standard",
                        "pay_in_advance": True,
                        "invoiceable": False,
                        "regroup_paid_fees": "invoice",
                        "properties": {"amount": "0.11"},
                    }
                )
            given["payments"] = [
                {
                    "fee": {"subscription": "sub", "transaction_id": f"t{number}"},
                    "amount_cents": 200,
                    "created_at": instant(random_moment(rng, first, last)),
                }
                for number in range(0, 40, 2)
            ]
    return given


def as_book(folder: Path, organization_id: str, given: Mapping[str, Any], as_of: datetime) -> Book:
    """The content of a case as the book of an organisation."""
    path = folder / f"{organization_id}.json"
    case = {
        "case": organization_id,
        "about": "random",
        "features": [],
        "as_of": instant(as_of),
        "given": given,
        "expect": {},
    }
    path.write_text(json.dumps(case))
    return read_case(path, organization_id=organization_id).book


def land(warehouse: Warehouse, books: Sequence[Book], last_year: int) -> None:
    """Land all books as one batch, with the time tables that they need."""
    prepare_warehouse(warehouse)
    land_books(warehouse, list(books), landed_at=datetime(2030, 1, 1, tzinfo=UTC), progress=SilentProgress())
    land_calendar(warehouse, last_year=last_year)


def close_scope(warehouse: Warehouse, as_of: Mapping[str, datetime]) -> None:
    """What is closed next: organisations with an as_of each."""
    with warehouse.connect() as session:
        open_close(session, as_of=as_of, known_at=None, started_at=datetime(2030, 1, 1, tzinfo=UTC))


def closer(warehouse: Warehouse, home: Path) -> Callable[[Mapping[str, datetime]], None]:
    """A close without marts and documents: rate, gate, ledger, for organisations with an as_of each."""
    runs = DbtRuns(warehouse, home / "dbt" / warehouse.kind)
    seed_reference(warehouse, runs)

    def close(as_of: Mapping[str, datetime]) -> None:
        close_scope(warehouse, as_of)
        rate_candidates(warehouse, runs, RATING_SELECTION)
        runs.run(LEDGER_SELECTION)

    return close
