"""What `verify` compares: no expectation that a case may hold is passed over."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dagster_project.lib.book._expectations import (
    ExpectedCreditNote,
    ExpectedFee,
    ExpectedInvoice,
    ExpectedUsage,
    ExpectedWallet,
)
from dagster_project.lib.book._types import known_keys
from dagster_project.lib.verify._compare import compare
from dagster_project.lib.verify._outcome import CaseOutcome

FEE = {
    "fee_type": "charge",
    "fee_code": "api",
    "filter_values": {"region": ["eu"]},
    "group_values": {"cloud": None},
    "from_date": date(2024, 3, 1),
    "to_date": date(2024, 3, 31),
    "units": 2,
    "events_count": 2,
    "amount_cents": 300,
    "precise_amount_cents": 300,
}
INVOICE = {
    "invoice_id": "i",
    "external_customer_id": "cust",
    "subscriptions": {"sub"},
    "invoice_type": "subscription",
    "invoice_status": "finalized",
    "invoice_number": "A-001-001",
    "issuing_date": date(2024, 4, 1),
    "payment_due_date": date(2024, 4, 1),
    "fees_amount_cents": 300,
    "progressive_billing_credit_amount_cents": 0,
    "coupons_amount_cents": 0,
    "sub_total_excluding_taxes_amount_cents": 300,
    "taxes_amount_cents": 0,
    "sub_total_including_taxes_amount_cents": 300,
    "credit_notes_amount_cents": 0,
    "prepaid_credit_amount_cents": 0,
    "total_amount_cents": 300,
}
NOTE = {
    "customer": "cust",
    "subscriptions": {"sub"},
    "invoice_type": "subscription",
    "issuing_dates": {date(2024, 4, 1), date(2024, 4, 15)},
    "issued_at": datetime(2024, 4, 15, tzinfo=UTC),
    "credit_amount_cents": 120,
    "refund_amount_cents": 0,
    "taxes_amount_cents": 20,
    "total_amount_cents": 120,
    "balance_amount_cents": 120,
}
WALLET = {"code": "w", "balance_cents": 5, "credits_balance": 1, "consumed_credits": 2}
USAGE = {
    "subscription": "sub",
    "charge": "api",
    "filter": None,
    "group": None,
    "units": 2,
    "events_count": 2,
    "amount_cents": 300,
}


def _differences(expect: dict[str, Any]) -> int:
    outcome = CaseOutcome([INVOICE], {"i": [FEE]}, [USAGE], [NOTE], [WALLET])
    return len(compare(expect, outcome))


MATCH = {"subscription": "sub", "issuing_date": "2024-04-01"}
RIGHT: dict[str, dict[str, Any]] = {
    "fee": {
        "type": "charge",
        "code": "api",
        "filter": {"region": ["eu"]},
        "group": {"cloud": None},
        "from": "2024-03-01",
        "to": "2024-03-31",
        "units": "2.0",
        "events_count": 2,
        "amount_cents": 300,
        "precise_amount_cents": "300.0",
    },
    "invoice": {
        **{key: value for key, value in INVOICE.items() if key.endswith("_cents")},
        "invoice_type": "subscription",
        "status": "finalized",
        "number": "A-001-001",
        "payment_due_date": "2024-04-01",
    },
    "note": {key: value for key, value in NOTE.items() if key.endswith("_cents")},
    "wallet": {key: str(value) for key, value in WALLET.items() if key != "code"},
    "usage": {"units": "2", "events_count": 2, "amount_cents": 300},
}
WRONG: dict[str, Any] = {
    "type": "add_on",
    "filter": None,
    "group": None,
    "from": "2024-03-02",
    "to": "2024-03-30",
    "invoice_type": "one_off",
    "status": "draft",
    "payment_due_date": "2024-04-02",
}
ABOUT = {
    "fee": lambda keys: {"invoices": [{"match": MATCH, "fees": [keys]}]},
    "invoice": lambda keys: {"invoices": [{"match": MATCH, **keys}]},
    "note": lambda keys: {"credit_notes": [{"match": {"customer": "cust", "nth": 1}, **keys}]},
    "wallet": lambda keys: {"wallets": [{"code": "w", **keys}]},
    "usage": lambda keys: {"usage": [{"subscription": "sub", "charge": "api", **keys}]},
}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in RIGHT.items() for key in keys])
def test_each_key_is_compared(kind: str, key: str) -> None:
    assert _differences(ABOUT[kind]({key: RIGHT[kind][key]})) == 0
    assert _differences(ABOUT[kind]({key: WRONG.get(key, "9")})) == 1


@pytest.mark.parametrize(
    ("kind", "model", "others"),
    [
        ("fee", ExpectedFee, set()),
        ("invoice", ExpectedInvoice, {"match", "fees", "fees_exact"}),
        ("note", ExpectedCreditNote, {"match"}),
        ("wallet", ExpectedWallet, {"code"}),
        ("usage", ExpectedUsage, {"subscription", "charge", "filter", "group"}),
    ],
)
def test_these_are_all_keys_of_the_contract(kind: str, model: Any, others: set[str]) -> None:
    assert RIGHT[kind].keys() | others == known_keys(model).keys()


@pytest.mark.parametrize(
    ("match", "is_found"),
    [
        ({"customer": "cust"}, True),
        ({"customer": "other"}, False),
        ({"subscription": "other"}, False),
        ({"issuing_date": "2024-04-02"}, False),
        ({"invoice_type": "subscription"}, True),
        ({"invoice_type": "one_off"}, False),
        ({"nth": 2}, False),
    ],
)
def test_each_key_of_a_match_counts(match: dict[str, Any], is_found: bool) -> None:
    assert _differences({"invoices": [{"match": match}]}) == (not is_found)
    assert _differences({"credit_notes": [{"match": match}]}) == (not is_found)


def test_a_note_is_found_by_its_own_day_and_by_that_of_its_invoice() -> None:
    for day in ("2024-04-01", "2024-04-15"):
        assert _differences({"credit_notes": [{"match": {"issuing_date": day}, "total_amount_cents": 120}]}) == 0


def test_no_fee_may_exist_where_exactly_none_is_expected() -> None:
    assert _differences({"invoices": [{"match": MATCH, "fees_exact": True}]}) == 1
    assert _differences({"invoices": [{"match": MATCH, "fees": [], "fees_exact": False}]}) == 0


def test_invoices_are_counted() -> None:
    assert _differences({"invoice_count": 1}) == 0
    assert _differences({"invoice_count": 2}) == 1
