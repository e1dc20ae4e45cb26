"""A small book of which every figure is worked out by hand.

January, of which the subscription has 16 of 31 days (it begins on the 16th):

- plan: 31.00 x 16 / 31 = 16.00
- tokens: 60 + 90 = 150; 100 at 0.10 and 1.00 flat make 11.00, 50 at 0.05 and 2.00 flat make 4.50: 15.50
- calls in the region eu: 3 at 0.015 = 0.045, half away from zero 0.05
- support: 2 units of a fixed charge at 4.00 = 8.00

39.55, less a coupon of 5.00: 34.55, and 20 % tax of that is 6.91: 41.46. A wallet of 10 credits at 1.00 pays 10.00, so
31.46 are left. February so far (to the 10th): 31.00 for the plan, 20 tokens at 0.10 and 1.00 flat make 3.00, support
8.00: 42.00, with 8.40 tax 50.40.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from tests.rating.runs import NOW, read_book_case

PREVIEWS = ("rpt_invoice_preview", "rpt_invoice_preview_line")


def _event(name: str, code: str, at: str, **properties: str) -> dict[str, Any]:
    return {
        "transaction_id": name,
        "external_subscription_id": "sub",
        "code": code,
        "timestamp": at,
        "properties": properties,
        "precise_total_amount_cents": None,
    }


BOOK: dict[str, Any] = {
    "case": "acme",
    "about": "every figure by hand",
    "source": "by hand",
    "features": [],
    "as_of": "2026-02-10T12:00:00Z",
    "given": {
        "organization": {"timezone": "UTC", "default_currency": "EUR"},
        "taxes": [{"code": "vat20", "name": "VAT", "rate": "20", "applied_to_organization": True}],
        "billable_metrics": [
            {"code": "tokens", "name": "Tokens", "aggregation_type": "sum_agg", "field_name": "n"},
            {
                "code": "calls",
                "name": "Calls",
                "aggregation_type": "count_agg",
                "filters": [{"key": "region", "values": ["eu", "us"]}],
            },
        ],
        "add_ons": [{"code": "support", "name": "Support", "amount_cents": 400, "amount_currency": "EUR"}],
        "coupons": [
            {
                "code": "welcome",
                "name": "Welcome",
                "coupon_type": "fixed_amount",
                "amount_cents": 500,
                "amount_currency": "EUR",
                "frequency": "once",
                "expiration": "no_expiration",
                "reusable": True,
            }
        ],
        "plans": [
            {
                "code": "pro",
                "name": "Pro",
                "interval": "monthly",
                "amount_cents": 3100,
                "amount_currency": "EUR",
                "pay_in_advance": False,
                "charges": [
                    {
                        "code": "tokens",
                        "billable_metric_code": "tokens",
                        "charge_model": "graduated",
                        "properties": {
                            "graduated_ranges": [
                                {"from_value": 0, "to_value": 100, "per_unit_amount": "0.10", "flat_amount": "1"},
                                {"from_value": 101, "to_value": None, "per_unit_amount": "0.05", "flat_amount": "2"},
                            ]
                        },
                    },
                    {
                        "code": "calls",
                        "billable_metric_code": "calls",
                        "charge_model": "standard",
                        "properties": {"amount": "0.02"},
                        "filters": [
                            {
                                "invoice_display_name": "Calls, EU",
                                "values": {"region": ["eu"]},
                                "properties": {"amount": "0.015"},
                            }
                        ],
                    },
                ],
                "fixed_charges": [
                    {
                        "code": "support",
                        "add_on_code": "support",
                        "charge_model": "standard",
                        "units": "2",
                        "pay_in_advance": False,
                        "prorated": False,
                        "properties": {"amount": "4"},
                    }
                ],
            }
        ],
        "customers": [{"external_id": "cust", "name": "Cust", "currency": "EUR"}],
        "subscriptions": [
            {
                "external_id": "sub",
                "external_customer_id": "cust",
                "plan_code": "pro",
                "billing_time": "calendar",
                "created_at": "2026-01-16T00:00:00Z",
                "subscription_at": "2026-01-16T00:00:00Z",
            }
        ],
        "applied_coupons": [
            {"external_customer_id": "cust", "coupon_code": "welcome", "created_at": "2026-01-17T09:00:00Z"}
        ],
        "wallets": [
            {
                "code": "prepaid",
                "name": "Prepaid",
                "external_customer_id": "cust",
                "rate_amount": "1",
                "currency": "EUR",
                "created_at": "2026-01-17T09:00:00Z",
            }
        ],
        "wallet_transactions": [
            {
                "wallet_code": "prepaid",
                "kind": "granted",
                "credits": "10",
                "created_at": "2026-01-17T09:00:00Z",
            }
        ],
        "events": [
            _event("t1", "tokens", "2026-01-20T08:00:00Z", n="60"),
            _event("t2", "tokens", "2026-01-25T08:00:00Z", n="90"),
            _event("t3", "tokens", "2026-01-25T09:00:00Z", n="many"),
            _event("c1", "calls", "2026-01-20T08:00:00Z", region="eu"),
            _event("c2", "calls", "2026-01-21T08:00:00Z", region="eu"),
            _event("c3", "calls", "2026-01-22T08:00:00Z", region="eu"),
            _event("t4", "tokens", "2026-02-03T08:00:00Z", n="20"),
        ],
    },
    "expect": {},
}


def close_at(warehouse: Warehouse, folder: Path, instants: Sequence[datetime]) -> DbtRuns:
    """Land the book and close it at each instant."""
    case = read_book_case(BOOK, folder, "acme")
    prepare_warehouse(warehouse)
    land_books(warehouse, [case.book], landed_at=NOW, progress=SilentProgress())
    land_calendar(warehouse, last_year=instants[-1].year)
    runs = DbtRuns(warehouse, folder / "dbt")
    seed_reference(warehouse, runs)
    for at in instants:
        with warehouse.connect() as session:
            open_close(session, as_of={"acme": at}, known_at=None, started_at=NOW)
        rate_candidates(warehouse, runs, RATING_SELECTION)
        runs.run(LEDGER_SELECTION)
    return runs


FEBRUARY_TENTH = datetime(2026, 2, 10, 12, tzinfo=UTC)
MARCH_SECOND = datetime(2026, 3, 2, 12, tzinfo=UTC)
