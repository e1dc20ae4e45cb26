"""The book of the benchmarks: the eight metrics of gen_events.py with the filters of reference.sql, a plan, its customers."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# code, aggregation, property: METRICS of gen_events.py
METRICS = (
    ("api_calls", "count_agg", None),
    ("data_egress", "sum_agg", "gb"),
    ("compute", "sum_agg", "seconds"),
    ("messages", "sum_agg", "count"),
    ("storage_peak", "max_agg", "gb"),
    ("seats", "latest_agg", "seats"),
    ("active_users", "unique_count_agg", "user_id"),
    ("volume_gb", "weighted_sum_agg", "delta"),
)
# the filters of reference.sql in the order of its case; what none takes is the default bucket
FILTERS: dict[str, tuple[tuple[str, dict[str, list[str]]], ...]] = {
    "data_egress": (("eu", {"region": ["eu"]}), ("us", {"region": ["us"]})),
    "compute": (
        ("eu_gold", {"region": ["eu"], "tier": ["gold"]}),
        ("us", {"region": ["us"]}),
        # an event that unrelated filters match counts in each of them; in the reference the first one takes it
        ("gold", {"region": ["ap", "sa"], "tier": ["gold"]}),
    ),
    "messages": (("free", {"tier": ["free"]}), ("pro", {"tier": ["pro"]})),
}
VALUES = {"region": ["eu", "us", "ap", "sa"], "tier": ["gold", "silver", "free", "pro", "none"]}


def write_book(book: Path, sources: Sequence[Path], *, subscriptions: int, first_month: str) -> Path:
    """Write a book that bills `sources` (files of events, linked into it) by the month in UTC, from `first_month` (2026-01) on."""
    shutil.rmtree(book, ignore_errors=True)
    for folder in ("catalog", "accounts", "events"):
        (book / folder).mkdir(parents=True)
    (book / "book.yaml").write_text("id: bench\nname: Bench\ntimezone: UTC\ndefault_currency: EUR\n")
    _write(book / "catalog" / "catalog.json", {"billable_metrics": _metrics(), "plans": [_plan()]})
    names = [f"sub_{number:06d}" for number in range(subscriptions)]
    _write(
        book / "accounts" / "accounts.json",
        {
            "customers": [{"external_id": name, "name": name, "currency": "EUR"} for name in names],
            "subscriptions": [_subscription(name, f"{first_month}-01T00:00:00Z") for name in names],
        },
    )
    add_events(book, sources)
    return book


def add_events(book: Path, sources: Sequence[Path]) -> None:
    """Link further files of events into a book, each under a name of its own."""
    there = len(list((book / "events").iterdir()))
    for number, source in enumerate(sources, there):
        os.symlink(source.resolve(), book / "events" / f"{number:04d}-{source.name}")


def _metrics() -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "name": code,
            "aggregation_type": aggregation,
            "field_name": field,
            "filters": [
                {"key": key, "values": VALUES[key]}
                for key in sorted({key for _, values in FILTERS.get(code, ()) for key in values})
            ],
        }
        for code, aggregation, field in METRICS
    ]


def _plan() -> dict[str, Any]:
    charges = [
        {
            "code": code,
            "billable_metric_code": code,
            "charge_model": "standard",
            "properties": {"amount": "0.001"},
            "filters": [
                {"invoice_display_name": name, "values": values, "properties": {"amount": "0.002"}}
                for name, values in FILTERS.get(code, ())
            ],
        }
        for code, _, _ in METRICS
    ]
    return {
        "code": "p",
        "name": "P",
        "interval": "monthly",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "charges": charges,
    }


def _subscription(name: str, started_at: str) -> dict[str, Any]:
    return {
        "external_id": name,
        "external_customer_id": name,
        "plan_code": "p",
        "billing_time": "calendar",
        "created_at": started_at,
        "subscription_at": started_at,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
