"""From the oracle's outcome to the `expect` of a case, and a comparison with one that is given."""

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact import decimal_text, has_decimals
from dagster_project.lib.verify._compare import compare
from dagster_project.lib.verify._outcome import CaseOutcome
from tests.rating.oracle import Fee, Outcome

# what is asserted exactly: sizes of quantities, and the decimals with which exact amounts are stored
_UNIT_DECIMALS, _PRECISE_DECIMALS = 12, 15


def expectation(outcome: Outcome) -> dict[str, Any]:
    """What a case with this outcome expects: every invoice with all of its fees, and the running usage."""
    seen: Counter[tuple[str, str]] = Counter()
    invoices = []
    for invoice in outcome.invoices:
        key = (invoice.subscription, invoice.issuing_date.isoformat())
        seen[key] += 1
        invoices.append(
            {
                "match": {"subscription": key[0], "issuing_date": key[1], "nth": seen[key]},
                "invoice_type": "subscription",
                "fees": [_fee(fee) for fee in invoice.fees],
                "fees_exact": True,
                "fees_amount_cents": sum(fee.amount_cents for fee in invoice.fees),
            }
        )
    return {"invoices": invoices, "invoice_count": len(invoices), "usage": _usage(outcome)}


def _fee(fee: Fee) -> dict[str, Any]:
    found: dict[str, Any] = {"type": fee.kind, "code": fee.code, "amount_cents": fee.amount_cents}
    if fee.kind == "charge":
        found |= {"filter": fee.filter, "group": fee.group}
    if fee.units is not None and has_decimals(fee.units, _UNIT_DECIMALS):
        found["units"] = decimal_text(fee.units)
    if fee.events_count is not None:
        found["events_count"] = fee.events_count
    if fee.precise_cents is not None and has_decimals(fee.precise_cents, _PRECISE_DECIMALS):
        found["precise_amount_cents"] = decimal_text(fee.precise_cents)
    if fee.from_date and fee.to_date:
        found |= {"from": fee.from_date.isoformat(), "to": fee.to_date.isoformat()}
    return found


def _usage(outcome: Outcome) -> list[dict[str, Any]]:
    """The whole of each charge, then each bucket and group that can be named."""
    charges: dict[tuple[str, str], list[Fee]] = {}
    for subscription, fee in outcome.usage:
        charges.setdefault((subscription, fee.code), []).append(fee)
    found = []
    for (subscription, code), fees in charges.items():
        where = {"subscription": subscription, "charge": code}
        found.append({**where, "filter": None, "group": None, **_figures(fees)})
        alike: dict[str, list[Fee]] = {}
        for fee in fees:
            if fee.filter is not None or fee.group is not None:
                filters = {key: sorted(values) for key, values in (fee.filter or {}).items()}
                alike.setdefault(json.dumps([filters, fee.group], sort_keys=True), []).append(fee)
        found += [{**where, "filter": own[0].filter, "group": own[0].group, **_figures(own)} for own in alike.values()]
    return found


def _figures(fees: list[Fee]) -> dict[str, Any]:
    figures: dict[str, Any] = {"amount_cents": sum(fee.amount_cents for fee in fees)}
    if all(fee.units is not None and has_decimals(fee.units, _UNIT_DECIMALS) for fee in fees):
        figures["units"] = decimal_text(sum((fee.units or Fraction(0) for fee in fees), Fraction(0)))
    if all(fee.events_count is not None for fee in fees):
        figures["events_count"] = sum(fee.events_count or 0 for fee in fees)
    return figures


def differences(expect: Mapping[str, Any], outcome: Outcome) -> list[str]:
    """Where the oracle's outcome is not what a case expects."""
    found = CaseOutcome()
    for index, invoice in enumerate(outcome.invoices):
        total = sum(fee.amount_cents for fee in invoice.fees)
        found.invoices.append(
            {
                "invoice_id": str(index),
                "subscriptions": {invoice.subscription},
                "external_customer_id": invoice.customer,
                "invoice_type": "subscription",
                "invoice_status": "finalized",
                "issuing_date": invoice.issuing_date,
                "fees_amount_cents": total,
                "taxes_amount_cents": 0,
                "total_amount_cents": total,
            }
        )
        found.fees[str(index)] = [_row(fee) for fee in invoice.fees]
    for subscription, fee in outcome.usage:
        row = _row(fee)
        found.usage.append(
            {
                **row,
                "subscription": subscription,
                "charge": fee.code,
                "filter": row["filter_values"],
                "group": row["group_values"],
            }
        )
    return [str(difference) for difference in compare(expect, found)]


def _row(fee: Fee) -> dict[str, Any]:
    return {
        "fee_type": fee.kind,
        "fee_code": fee.code,
        "filter_values": fee.filter,
        "group_values": fee.group,
        "from_date": fee.from_date,
        "to_date": fee.to_date,
        "units": _decimal(fee.units),
        "events_count": fee.events_count or 0,
        "amount_cents": fee.amount_cents,
        "precise_amount_cents": _decimal(fee.precise_cents),
    }


def _decimal(number: Fraction | None) -> Decimal | None:
    if number is None:
        return None
    return Decimal(decimal_text(number)) if has_decimals(number, 60) else Decimal(number.numerator) / number.denominator
