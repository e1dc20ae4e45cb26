"""Relations that hold between two books, whatever they cost: no oracle says here what is right.

All books and their variants are organisations of one run on each engine.
"""

import copy
import dataclasses
import gzip
import itertools
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.book import Case
from dagster_project.lib.book._book import EventSource
from dagster_project.lib.exact import as_text, decimal_text, numeric
from dagster_project.lib.verify._outcome import CaseOutcome
from dagster_project.lib.warehouse import Warehouse
from tests.rating.books import KINDS, NO_NUMBERS, Kind, books
from tests.rating.oracle import event_code
from tests.rating.runs import outcomes, read_book_case

Row = dict[str, Any]
Line = tuple[Any, ...]

BOOKS = 8
# the price of a sum is the sum of the prices: any unit costs the same
ADDITIVE = tuple(
    Kind(aggregation, model, in_advance=in_advance)
    for aggregation, model in (("count_agg", "standard"), ("sum_agg", "standard"), ("sum_agg", "dynamic"))
    for in_advance in (False, True)
)
PRICES = {"amount", "per_unit_amount", "flat_amount", "rate", "fixed_amount"} | {
    f"per_transaction_{end}_amount" for end in ("min", "max")
}
# exact amounts are stored with 15 decimals
STORED = Decimal("1e-14")


# ---- the variants ---------------------------------------------------------------------------------------------------


def shuffled(case: Row, rng: random.Random) -> Row:
    rng.shuffle(case["given"]["events"])
    return case


def with_neutral_events(case: Row, rng: random.Random) -> Row:
    """Events that are nobody's, of no metric, of no number, known too late, or there already."""
    given = case["given"]
    metrics = {metric.get("event_code") or metric["code"]: metric for metric in given["billable_metrics"]}
    added = []
    for number, event in enumerate(list(given["events"])):
        metric = metrics[event["code"]]
        neutral = {**event, "transaction_id": f"neutral-{number}"}
        added.append({**neutral, "transaction_id": f"code-{number}", "code": "unknown"})
        added.append({**neutral, "transaction_id": f"nobody-{number}", "external_subscription_id": "nobody"})
        added.append({**neutral, "transaction_id": f"late-{number}", "received_at": "2031-01-01T00:00:00Z"})
        added.append(copy.deepcopy(event))
        if metric["aggregation_type"] not in {"count_agg", "unique_count_agg"} and not metric.get("expression"):
            value = rng.choice([text for text in NO_NUMBERS if text is not None])
            added.append({**neutral, "properties": {**event["properties"], metric["field_name"]: value}})
    given["events"] += rng.sample(added, len(added))
    return case


def with_doubled_prices(case: Row, _: random.Random) -> Row:
    given = case["given"]
    for plan in given["plans"]:
        plan["charges"] = [_doubled(charge) for charge in plan["charges"]]
    for event in given["events"]:
        cents = event.get("precise_total_amount_cents")
        if cents is not None:
            event["precise_total_amount_cents"] = f"{2 * Decimal(cents):f}"
    return case


def _doubled(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _doubled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_doubled(item, key) for item in value]
    return f"{2 * Decimal(value):f}" if key in PRICES else value


def with_customers_split(case: Row, rng: random.Random) -> Row:
    """Each customer becomes two with the same plan; each event goes to one of them."""
    given = case["given"]
    halves = {}
    for table, key in (("customers", "external_id"), ("subscriptions", "external_id")):
        for row in list(given[table]):
            other = {**row, key: f"{row[key]}-half"}
            if table == "subscriptions":
                other["external_customer_id"] += "-half"
                halves[row[key]] = other[key]
            given[table].append(other)
    for event in given["events"]:
        if rng.random() < 0.5:
            event["external_subscription_id"] = halves[event["external_subscription_id"]]
    return case


def in_several_files(case: Case, folder: Path) -> Case:
    """The same events, spread over three files, one of them packed."""
    folder.mkdir()
    lines: list[str] = [line for source in case.book.event_sources for line in source.lines]
    sources = []
    for number, compression in enumerate(("gzip", None, None)):
        own = lines[number::3]
        path = folder / f"events_{number}.jsonl{'.gz' if compression else ''}"
        text = "".join(f"{line}\n" for line in own).encode()
        path.write_bytes(gzip.compress(text) if compression else text)
        if own:
            sources.append(
                EventSource(
                    "file", (path,), "jsonl", "gzip" if compression else None, organization_id=case.organization_id
                )
            )
    return dataclasses.replace(case, book=dataclasses.replace(case.book, event_sources=tuple(sources)))


# ---- what is compared -----------------------------------------------------------------------------------------------


def bill(outcome: CaseOutcome) -> list[Line]:
    """Every line of every invoice and of running usage."""
    assert outcome.findings == []
    found = []
    for number, invoice in enumerate(outcome.invoices):
        head = (str(number), *sorted(invoice["subscriptions"]), str(invoice["issuing_date"]))
        found += [(*head, invoice["total_amount_cents"])]
        found += [(*head, *identity(fee), fee["amount_cents"]) for fee in outcome.fees[invoice["invoice_id"]]]
    found += [
        (
            "usage",
            row["subscription"],
            row["charge"],
            json.dumps(row["filter"]),
            json.dumps(row["group"]),
            str(Decimal(row["units"]).normalize()),
            str(row["events_count"]),
            row["amount_cents"],
        )
        for row in outcome.usage
    ]
    return sorted(found, key=repr)


def identity(fee: Mapping[str, Any]) -> Line:
    return (
        fee["fee_type"],
        fee["fee_code"],
        json.dumps(fee["filter_values"]),
        json.dumps(fee["group_values"]),
        str(fee["from_date"]),
        str(Decimal(fee["units"]).normalize()),
        str(fee["events_count"]),
    )


def exact_amounts(outcome: CaseOutcome, *, without_units: bool = False) -> dict[Line, Decimal]:
    """The exact amounts of usage, summed where lines are alike; one customer's halves are alike."""
    found: defaultdict[Line, Decimal] = defaultdict(Decimal)
    for invoice in outcome.invoices:
        for fee in outcome.fees[invoice["invoice_id"]]:
            if fee["fee_type"] == "charge" and fee["precise_amount_cents"]:
                key = identity(fee)[:5] if without_units else identity(fee)
                found[str(invoice["issuing_date"]), *key] += fee["precise_amount_cents"]
    return dict(found)


def assert_close(amounts: Mapping[Line, Decimal], others: Mapping[Line, Decimal], factor: int, lines: int = 1) -> None:
    """Each of the others is `factor` times an amount, up to what is lost when so many lines are stored."""
    assert amounts.keys() == others.keys()
    far = {
        key: (amount, others[key])
        for key, amount in amounts.items()
        if abs(factor * amount - others[key]) > lines * STORED
    }
    assert far == {}


# ---- the books ------------------------------------------------------------------------------------------------------


def plain_books(seed: int, kinds: tuple[Kind, ...]) -> list[Row]:
    return list(itertools.islice(filter(can_be_doubled, map(_plain, books(seed, kinds))), BOOKS))


def _plain(case: Row) -> Row:
    """Without what is rounded on the way, and without second events of one id, whose order counts."""
    given = case["given"]
    for plan in given["plans"]:
        for charge in plan["charges"]:
            charge.pop("min_amount_cents", None)
            charge.pop("applied_pricing_unit", None)
    first = {}
    for event in given["events"]:
        first.setdefault(event["transaction_id"], event)
    given["events"] = list(first.values())
    return {**case, "expect": {}}


def can_be_doubled(case: Row) -> bool:
    """A price has at most nine digits before the point."""
    changed = with_doubled_prices(copy.deepcopy(case), random.Random())["given"]
    return not any(len(digits) > 9 for digits in re.findall(r'amount": "(\d+)', json.dumps(changed["plans"])))


def additive(case: Row) -> Row:
    """The case without levels of zero or below and without rounding of units: each customer has its own."""
    given = case["given"]
    for metric in given["billable_metrics"]:
        for key in ("rounding_function", "rounding_precision", "expression"):
            metric.pop(key, None)
        for event in given["events"]:
            value = numeric(as_text(event["properties"].get(metric["field_name"])))
            if event["code"] == event_code(metric) and value is not None:
                event["properties"][metric["field_name"]] = decimal_text(abs(value) or Fraction(1))
    return case


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_relations_between_books(warehouse: Warehouse, tmp_path: Path) -> None:
    def read(name: str, cases: list[Row], change: Callable[[Row, random.Random], Row]) -> list[Case]:
        return [
            read_book_case(change(copy.deepcopy(case), random.Random(number)), tmp_path / "books", f"{name}_{number}")
            for number, case in enumerate(cases)
        ]

    books_of_all = plain_books(101, KINDS)
    additive_books = [additive(case) for case in plain_books(202, ADDITIVE)]
    whole = read("whole", books_of_all, unchanged)
    cases = [
        *whole,
        *read("shuffled", books_of_all, shuffled),
        *read("neutral", books_of_all, with_neutral_events),
        *read("doubled", books_of_all, with_doubled_prices),
        *(
            in_several_files(case, tmp_path / f"events_{number}")
            for number, case in enumerate(read("files", books_of_all, unchanged))
        ),
        *read("customers", additive_books, unchanged),
        *read("halves", additive_books, with_customers_split),
    ]
    found = outcomes(cases, warehouse, tmp_path / "home")

    billed = 0
    for number in range(BOOKS):
        before = found[f"whole_{number}"]
        assert len(bill(before)) > 5
        for name in ("shuffled", "neutral", "files"):
            assert bill(before) == bill(found[f"{name}_{number}"]), f"{name} {number}"
        doubled = found[f"doubled_{number}"]
        assert bill_without_amounts(before) == bill_without_amounts(doubled), f"doubled {number}"
        assert_close(exact_amounts(before), exact_amounts(doubled), 2)
        customers, halves = (
            exact_amounts(found[f"{name}_{number}"], without_units=True) for name in ("customers", "halves")
        )
        billed += bool(customers)
        assert_close(customers, halves, 1, lines=40)
    # a book may draw periods that still run
    assert billed > BOOKS / 2


def unchanged(case: Row, _: random.Random) -> Row:
    return case


def bill_without_amounts(outcome: CaseOutcome) -> list[Line]:
    return [line[:-1] for line in bill(outcome)]
