"""Settlement of as many invoices as events in one close, each with two coupons: time per invoice, and how it grows."""

import json
import math
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from closes import close_book
from measuring import BUILD, Ratio, medians, size_name

AS_OF = "2026-01-31T00:00:00Z"
# a balance that goes on from invoice to invoice, and a part of each of them
_COUPONS = (
    {
        "code": "rest",
        "coupon_type": "fixed_amount",
        "amount_cents": 10**12,
        "amount_currency": "EUR",
        "frequency": "once",
    },
    {"code": "tenth", "coupon_type": "percentage", "percentage_rate": "10", "frequency": "forever"},
)


def invoices(sizes: list[int], runs: int) -> list[Ratio]:
    """CPU of a close less an empty one per invoice, for one customer and for many, and the growth between the sizes."""
    return [*_rows("one", sizes, runs, 1), *_rows("many", sizes, runs, 100)]


def _rows(key: str, sizes: list[int], runs: int, customers: int) -> Iterator[Ratio]:
    """Of so many customers; `key` is in the names of the rows."""
    whom = "one customer" if customers == 1 else f"{customers} customers"
    costs = {}
    for size in sizes:
        book, home = _book(size, customers), BUILD / f"home-invoices-{key}-{size_name(size)}"
        home.mkdir(parents=True, exist_ok=True)
        taken = medians(
            runs,
            close=partial(close_book, book, home, as_of=AS_OF),
            empty=partial(close_book, book, home, as_of=AS_OF, fresh=False),
        )
        costs[size] = taken["close"].cpu - taken["empty"].cpu
        yield Ratio(
            f"invoice_ms_{key}_{size_name(size)}",
            f"milliseconds an invoice, {size:,} with two coupons in one close, {whom}",
            round(costs[size] / size * 1000, 2),
            round(costs[size], 1),
        )
    small, large = min(sizes), max(sizes)
    yield Ratio(
        f"invoices_growth_{key}",
        f"growth exponent from {small:,} to {large:,} invoices, {whom}",
        round(math.log(costs[large] / costs[small]) / math.log(large / small), 2),
        round(costs[large], 1),
        round(costs[small], 1),
        "≤ 1.05",
    )


def _book(count: int, customers: int) -> Path:
    """A book of `count` events that are paid at once, in January."""
    book = BUILD / f"book-invoices-{size_name(count)}-{customers}"
    shutil.rmtree(book, ignore_errors=True)
    for folder in ("catalog", "accounts", "events"):
        (book / folder).mkdir(parents=True)
    (book / "book.yaml").write_text("id: bench\nname: Bench\ntimezone: UTC\ndefault_currency: EUR\n")
    charge = {
        "code": "calls",
        "billable_metric_code": "calls",
        "charge_model": "standard",
        "pay_in_advance": True,
        "properties": {"amount": "1.37"},
    }
    plan = {
        "code": "p",
        "name": "P",
        "interval": "monthly",
        "amount_cents": 0,
        "amount_currency": "EUR",
        "charges": [charge],
    }
    _write(
        book / "catalog" / "catalog.json",
        {
            "taxes": [{"code": "vat", "name": "VAT", "rate": "20", "applied_to_organization": True}],
            "billable_metrics": [{"code": "calls", "name": "Calls", "aggregation_type": "sum_agg", "field_name": "n"}],
            "plans": [plan],
            "coupons": [
                {**coupon, "name": coupon["code"], "expiration": "no_expiration", "reusable": True}
                for coupon in _COUPONS
            ],
        },
    )
    names = [f"c{number:06d}" for number in range(customers)]
    _write(
        book / "accounts" / "accounts.json",
        {
            "customers": [{"external_id": name, "name": name, "currency": "EUR"} for name in names],
            "subscriptions": [
                {
                    "external_id": name,
                    "external_customer_id": name,
                    "plan_code": "p",
                    "billing_time": "calendar",
                    "created_at": "2026-01-01T00:00:00Z",
                    "subscription_at": "2026-01-01T00:00:00Z",
                }
                for name in names
            ],
            "applied_coupons": [
                {"external_customer_id": name, "coupon_code": coupon["code"], "created_at": "2026-01-01T00:00:00Z"}
                for name in names
                for coupon in _COUPONS
            ],
        },
    )
    with (book / "events" / "events.jsonl").open("w") as file:
        for number in range(count):
            second = number * 2_500_000 // count
            day, rest = divmod(second, 86400)
            event = {
                "transaction_id": f"t{number}",
                "external_subscription_id": names[number % len(names)],
                "code": "calls",
                "timestamp": f"2026-01-{day + 1:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z",
                "properties": {"n": str(number % 17 + 1)},
            }
            file.write(json.dumps(event) + "\n")
    return book


def _write(path: Path, records: dict) -> None:
    path.write_text(json.dumps(records))
