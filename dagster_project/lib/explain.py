"""From an invoice's line to its price row, its units and its very events, recomputed on the way.

The recomputation is independent of the models: it reads the events that the line billed and adds and prices them with
Python's exact fractions, after semantics/rating.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from dagster_project.lib.errors import InputError
from dagster_project.lib.ledger import find_invoice
from dagster_project.lib.warehouse import Session

_NUMERIC_DIGITS = 15


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a line; `quantity` is null when the metric cannot use it."""

    transaction_id: str
    event_at: Any
    file_path: str
    line_number: int
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class LineExplanation:
    """One line: what the ledger says, how it was computed, from which events, and what a recomputation gives."""

    line_number: int
    fee: dict[str, Any]
    sentences: tuple[str, ...]
    events: tuple[EventRow, ...]
    events_total: int
    recomputed_cents: int

    @property
    def agrees(self) -> bool:
        """Whether the recomputation gives the amount on the invoice."""
        return bool(self.recomputed_cents == self.fee["amount_cents"])


@dataclass(frozen=True, slots=True)
class InvoiceExplanation:
    """An invoice with its explained lines and its postings from fees to total."""

    invoice: dict[str, Any]
    lines: tuple[LineExplanation, ...]
    taxes: tuple[dict[str, Any], ...]


def explain_invoice(
    session: Session,
    number: str,
    *,
    line: int | None = None,
    organization_id: str | None = None,
    events_shown: int = 10,
) -> InvoiceExplanation:
    """Explain a committed invoice, or one of its lines.

    Raises InputError when there is no such invoice or line, or when several organisations have the number.
    """
    ledger = session.schema("ledger")
    found = find_invoice(session, number)
    if organization_id is not None:
        found = [
            key
            for key in found
            if session.rows(
                f"select 1 from {ledger}.ledger_invoices where invoice_id = ? and organization_id = ?",
                [key, organization_id],
            )
        ]
    if not found:
        raise InputError(
            f"There is no invoice {number} in this warehouse. `select * from marts.fct_invoice` lists them."
        )
    if len(found) > 1:
        raise InputError(f"{len(found)} organisations have an invoice {number}: name one with --organization.")
    [invoice] = _dicts(session, "ledger_invoices", found[0])
    fees = sorted(_dicts(session, "ledger_fees", found[0]), key=lambda fee: int(fee["line_number"]))
    if line is not None:
        fees = [fee for fee in fees if fee["line_number"] == line]
        if not fees:
            raise InputError(f"Invoice {number} has no line {line}.")
    lines = tuple(_explain_fee(session, invoice, fee, events_shown) for fee in fees)
    return InvoiceExplanation(invoice, lines, tuple(_dicts(session, "ledger_invoice_taxes", found[0])))


def _explain_fee(session: Session, invoice: dict[str, Any], fee: dict[str, Any], events_shown: int) -> LineExplanation:
    if fee["fee_type"] == "subscription":
        return _explain_plan_fee(session, invoice, fee)
    return _explain_usage_fee(session, invoice, fee, events_shown)


def _explain_plan_fee(session: Session, invoice: dict[str, Any], fee: dict[str, Any]) -> LineExplanation:
    moment = _moment(session, fee["moment_id"])
    [(amount_cents, interval)] = session.rows(
        f"select amount_cents, plan_interval from {session.schema('raw')}.plans where organization_id = ? "
        "and plan_code = ? and effective_at = ? and batch_id <= ? order by batch_id desc limit 1",
        [
            invoice["organization_id"],
            moment["plan_code"],
            moment["plan_effective_at"],
            moment["known_batch_id"],
        ],
    )
    days = (fee["to_date"] - fee["from_date"]).days + 1
    full_days = int(moment["full_days_count"])
    exact = Fraction(int(amount_cents)) * days / full_days
    sentences = (
        f"plan {moment['plan_code']}, {interval}: {amount_cents} minor units for a full period of {full_days} days",
        f"{days} days from {fee['from_date']} to {fee['to_date']}: "
        f"{amount_cents} x {days} / {full_days} = {_text(exact)}",
    )
    return LineExplanation(int(fee["line_number"]), fee, sentences, (), 0, _half_away(exact))


def _explain_usage_fee(
    session: Session, invoice: dict[str, Any], fee: dict[str, Any], events_shown: int
) -> LineExplanation:
    moment = _moment(session, fee["moment_id"])
    raw = session.schema("raw")
    metric = session.rows(
        "select event_code, aggregation_type, field_name, rounding_function, rounding_precision "
        f"from {raw}.billable_metrics where organization_id = ? and billable_metric_code = ? and batch_id <= ? "
        "and effective_at <= ? order by effective_at desc, batch_id desc limit 1",
        [
            invoice["organization_id"],
            fee["billable_metric_code"],
            moment["known_batch_id"],
            moment["full_from_date"],
        ],
    )
    event_code, aggregation, field_name, rounding_function, rounding_precision = metric[0]
    events = [
        EventRow(
            transaction_id,
            event_at,
            path,
            int(line_number),
            _quantity(aggregation, field_name, properties),
        )
        for transaction_id, event_at, path, line_number, properties in session.rows(
            "select e.transaction_id, e.event_at, f.file_path, e.line_number, e.properties "
            f"from {raw}.usage_events e left join {raw}.landed_files f on f.file_id = e.file_id "
            "where e.organization_id = ? and e.external_subscription_id = ? and e.code = ? "
            "and e.event_at >= ? and e.event_at < ? and e.batch_id <= ? "
            "and coalesce(e.received_at, e.event_at) < ? order by e.event_at, e.transaction_id",
            [
                invoice["organization_id"],
                fee["external_subscription_id"],
                event_code,
                moment["usage_from_at"],
                moment["usage_to_at"],
                moment["known_batch_id"],
                moment["billing_at"],
            ],
        )
    ]
    used = [event for event in events if event.quantity is not None]
    units = sum((Fraction(event.quantity) for event in used if event.quantity is not None), Fraction(0))
    rounded = _metric_rounding(units, rounding_function, rounding_precision)
    sentences = [f"metric {fee['billable_metric_code']}: {aggregation} over {len(used)} events with code {event_code}"]
    if field_name and aggregation != "count_agg":
        sentences[0] += f", property {field_name}"
    if rounded != units:
        sentences.append(
            f"units {_text(units)}, {rounding_function} to {rounding_precision or 0} decimals: {_text(rounded)}"
        )
    exact, priced = _price(session, fee, rounded)
    sentences += priced
    cents = _half_away(exact * 10 ** int(fee["currency_exponent"]))
    return LineExplanation(int(fee["line_number"]), fee, tuple(sentences), tuple(used[:events_shown]), len(used), cents)


def _price(session: Session, fee: dict[str, Any], units: Fraction) -> tuple[Fraction, list[str]]:
    if fee["charge_model"] == "standard":
        exact = units * Fraction(fee["unit_price"])
        return max(exact, Fraction(0)), [
            f"standard: {_text(units)} x {_text(Fraction(fee['unit_price']))} = {_text(exact)}"
        ]
    tiers = sorted(
        _dicts(session, "ledger_fee_tiers", fee["invoice_id"]),
        key=lambda tier: int(tier["tier_position"]),
    )
    total, sentences = Fraction(0), []
    for tier in (tier for tier in tiers if tier["fee_id"] == fee["fee_id"]):
        amount = Fraction(tier["units"]) * Fraction(tier["per_unit_amount"]) + Fraction(tier["flat_amount"])
        total += amount
        upper = _text(Fraction(tier["to_value"])) if tier["to_value"] is not None else "and above"
        sentences.append(
            f"range {_text(Fraction(tier['from_value']))} - {upper}: {_text(Fraction(tier['units']))} x "
            f"{_text(Fraction(tier['per_unit_amount']))} + {_text(Fraction(tier['flat_amount']))} = {_text(amount)}"
        )
    return max(total, Fraction(0)), sentences


def _quantity(aggregation: str, field_name: str | None, properties: str | None) -> Decimal | None:
    if aggregation == "count_agg":
        return Decimal(1)
    value = json.loads(properties or "{}", parse_float=str, parse_int=str).get(field_name)
    if not isinstance(value, str):
        return None
    digits = value.removeprefix("-")
    whole, point, fraction = digits.partition(".")
    plain = whole.isascii() and whole.isdigit() and (not point or (fraction.isascii() and fraction.isdigit()))
    return Decimal(value) if plain and len(whole.lstrip("0")) <= _NUMERIC_DIGITS else None


def _metric_rounding(units: Fraction, function: str | None, precision: int | None) -> Fraction:
    if function is None:
        return units
    step = Fraction(10) ** -(precision or 0)
    scaled = units / step
    if function == "ceil":
        return -(-scaled.numerator // scaled.denominator) * step
    if function == "floor":
        return scaled.numerator // scaled.denominator * step
    return _half_away(scaled) * step


def _half_away(value: Fraction) -> int:
    whole = (abs(value) + Fraction(1, 2)).__floor__()
    return whole if value >= 0 else -whole


def _text(value: Fraction) -> str:
    """An exact decimal where there is one, else a fraction."""
    for places in range(40):
        scaled = value * 10**places
        if scaled.denominator == 1:
            return format(Decimal(scaled.numerator).scaleb(-places), "f")
    return f"{value.numerator}/{value.denominator}"


def _moment(session: Session, moment_id: str) -> dict[str, Any]:
    columns = (
        "plan_code", "plan_effective_at", "full_from_date", "full_days_count", "usage_from_at", "usage_to_at",
        "billing_at", "known_batch_id",
    )  # fmt: skip
    [row] = session.rows(
        f"select {', '.join(columns)} from {session.schema('ledger')}.ledger_moments where moment_id = ?",
        [moment_id],
    )
    return dict(zip(columns, row, strict=True))


_COLUMNS: dict[str, Sequence[str]] = {
    "ledger_invoices": (
        "invoice_id", "organization_id", "external_customer_id", "invoice_number", "currency", "currency_exponent",
        "issuing_date", "fees_amount_cents", "coupons_amount_cents", "taxes_amount_cents", "credit_notes_amount_cents",
        "prepaid_credit_amount_cents", "progressive_billing_credit_amount_cents", "total_amount_cents",
    ),
    "ledger_fees": (
        "fee_id", "invoice_id", "moment_id", "external_subscription_id", "line_number", "fee_type", "fee_code",
        "fee_name", "billable_metric_code", "charge_model", "from_date", "to_date", "units", "events_count",
        "unit_price", "currency_exponent", "amount_cents", "precise_amount_cents",
    ),
    "ledger_fee_tiers": (
        "fee_id", "tier_position", "from_value", "to_value", "units", "per_unit_amount", "flat_amount",
    ),
    "ledger_invoice_taxes": ("tax_code", "tax_name", "tax_rate", "taxable_amount_cents", "tax_amount_cents"),
}  # fmt: skip


def _dicts(session: Session, table: str, invoice_id: str) -> list[dict[str, Any]]:
    columns = _COLUMNS[table]
    rows = session.rows(
        f"select {', '.join(columns)} from {session.schema('ledger')}.{table} where invoice_id = ?",
        [invoice_id],
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]
