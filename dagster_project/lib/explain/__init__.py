"""From an invoice's line to its price row, its units and its very events, recomputed on the way.

What is explained was finalised, perhaps by an earlier close: the ledger and the raw tables are read, as they were known
then. The amounts are computed again by `lib.exact`, which knows the rules and not the models.
"""

from dataclasses import replace
from typing import Any

from dagster_project.lib.errors import InputError
from dagster_project.lib.exact import UnsettledError
from dagster_project.lib.explain._adjustments import explain_adjustment
from dagster_project.lib.explain._book import KnownBook, surrogate_key
from dagster_project.lib.explain._events import UsageReader
from dagster_project.lib.explain._explanation import (
    EventRow,
    InvoiceExplanation,
    LineExplanation,
    PostingExplanation,
)
from dagster_project.lib.explain._fixed import explain_fixed_charge
from dagster_project.lib.explain._lines import (
    explain_commitment,
    explain_one_off,
    explain_plan_fee,
    explain_purchase,
    explain_true_up,
)
from dagster_project.lib.explain._postings import explain_postings
from dagster_project.lib.explain._usage import explain_usage
from dagster_project.lib.explain._words import Money
from dagster_project.lib.ledger import find_invoice
from dagster_project.lib.warehouse import Session, named_rows

__all__ = ["EventRow", "InvoiceExplanation", "LineExplanation", "PostingExplanation", "explain_invoice"]

Row = dict[str, Any]
_INVOICE = (
    "invoice_id", "organization_id", "external_customer_id", "invoice_number", "invoice_type", "currency",
    "currency_exponent", "issuing_date", "fees_amount_cents", "taxes_amount_cents", "total_amount_cents",
)  # fmt: skip
_FEE = (
    "fee_id", "invoice_id", "moment_id", "external_subscription_id", "line_number", "fee_type", "fee_code", "fee_name",
    "charge_model", "filter_values", "group_values", "from_date", "to_date", "units", "events_count", "unit_price",
    "currency", "currency_exponent", "amount_cents", "precise_amount_cents", "taxes_rate",
    "precise_coupons_amount_cents",
)  # fmt: skip
_MOMENT = (
    "moment_id", "organization_id", "external_customer_id", "external_subscription_id", "subscription_created_at",
    "plan_code", "plan_effective_at", "fee_plan_code", "fee_plan_effective_at", "reason", "billing_at", "finalizes_at",
    "timezone", "row_started_at", "has_previous_row", "ended_by", "days_count", "full_days_count", "full_started_at",
    "usage_from_at", "usage_to_at", "usage_from_date", "usage_to_date", "usage_full_days_count", "usage_days_count",
    "commitment_plan_code", "commitment_plan_effective_at", "commitment_from_date", "commitment_to_date",
    "commitment_days_count", "commitment_full_days_count", "request_id", "known_batch_id",
)  # fmt: skip

_STANDALONE = (
    "organization_id", "external_customer_id", "external_subscription_id", "subscription_created_at", "plan_code",
    "plan_effective_at", "reason", "transaction_id", "made_at", "timezone", "row_started_at", "has_previous_row",
    "full_started_at", "usage_from_at", "usage_to_at", "usage_from_date", "usage_full_days_count", "usage_days_count",
    "known_batch_id",
)  # fmt: skip


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
    invoice = _found_invoice(session, number, organization_id)
    fees = _ledger_rows(session, "ledger_fees", _FEE, invoice["invoice_id"], "line_number")
    moments = {
        row["moment_id"]: row
        for row in _ledger_rows(session, "ledger_moments", _MOMENT, invoice["invoice_id"], "moment_id")
    }
    books = {
        batch: KnownBook(session, invoice["organization_id"], batch)
        for batch in {int(moment["known_batch_id"]) for moment in moments.values()}
    }
    chosen = [fee for fee in fees if line is None or fee["line_number"] == line]
    if line is not None and not chosen:
        raise InputError(f"Invoice {number} has no line {line}.")
    reader = UsageReader(session)
    lines = []
    for fee in chosen:
        moment = moments[fee["moment_id"]]
        book = books[int(moment["known_batch_id"])]
        lines.append(_explain_line(session, reader, book, moment, fee, fees, events_shown))
    postings = explain_postings(session, books, invoice, fees, moments) if line is None else []
    return InvoiceExplanation(invoice, tuple(lines), tuple(postings))


def _explain_line(
    session: Session, reader: UsageReader, book: KnownBook, moment: Row, fee: Row, fees: list[Row], events_shown: int
) -> LineExplanation:
    money = Money(fee["currency"], int(fee["currency_exponent"]))
    if moment["reason"] == "regeneration":
        return _explain_anew(session, reader, moment, fee, events_shown)
    try:
        match fee["fee_type"]:
            case "subscription":
                return explain_plan_fee(book, moment, fee, money)
            case "charge" if moment["reason"] == "advance_charges":
                return _explain_regrouped(session, reader, fee, money, events_shown)
            case "charge":
                return explain_usage(reader, book, moment, fee, money, events_shown)
            case "true_up":
                return explain_true_up(book, moment, fee, money, fees)
            case "commitment":
                return explain_commitment(session, book, moment, fee, money)
            case "fixed_charge":
                return explain_fixed_charge(session, book, moment, fee, money)
            case "add_on":
                own = [other["fee_id"] for other in fees if other["moment_id"] == fee["moment_id"]]
                return explain_one_off(book, moment, fee, money, own.index(fee["fee_id"]))
            case "adjustment":
                return explain_adjustment(
                    session,
                    moment,
                    fee,
                    money,
                    lambda moment_id, row: explain_usage(
                        reader,
                        book,
                        _restated(session, moment_id, moment, row["transaction_id"]),
                        {**fee, "moment_id": moment_id, "fee_id": row["fee_id"], "fee_type": "charge"},
                        money,
                        events_shown,
                    ),
                )
            case "credit":
                return explain_purchase(book, moment, fee, money)
    except UnsettledError as open_point:
        return LineExplanation(int(fee["line_number"]), fee, (), (), 0, None, open_point=str(open_point))
    raise LookupError(f"a line of type {fee['fee_type']}")


def _explain_anew(session: Session, reader: UsageReader, moment: Row, fee: Row, events_shown: int) -> LineExplanation:
    """A line of an invoice that was made anew is that of the voided one: docs/billing-rules.md, Voids."""
    [(voided_id,)] = session.rows(
        f"select invoice_id from {session.schema('ledger')}.ledger_invoice_voids where regenerated_invoice_id = ?",
        [fee["invoice_id"]],
    )
    [voided] = _ledger_rows(session, "ledger_invoices", _INVOICE, voided_id, "invoice_id")
    fees = _ledger_rows(session, "ledger_fees", _FEE, voided_id, "line_number")
    [line] = [each for each in fees if surrogate_key(moment["moment_id"], each["fee_id"]) == fee["fee_id"]]
    [first] = [
        row
        for row in _ledger_rows(session, "ledger_moments", _MOMENT, voided_id, "moment_id")
        if row["moment_id"] == line["moment_id"]
    ]
    book = KnownBook(session, voided["organization_id"], int(first["known_batch_id"]))
    found = _explain_line(session, reader, book, first, line, fees, events_shown)
    opening = f"Line {line['line_number']} of invoice {voided['invoice_number']}, which was voided, made anew."
    return replace(found, line_number=int(fee["line_number"]), fee=fee, sentences=(opening, *found.sentences))


def _explain_regrouped(
    session: Session, reader: UsageReader, fee: Row, money: Money, events_shown: int
) -> LineExplanation:
    """A fee that was made without an invoice and put on one when it was paid: docs/billing-rules.md, Fees without an invoice."""
    columns = (*_STANDALONE, "billing_date", "to_date", "period_moment_id")
    [made] = named_rows(
        session,
        f"select {', '.join(columns)} from {session.schema('ledger')}.ledger_standalone_fees where fee_id = ?",
        columns,
        [fee["fee_id"]],
    )
    moment = {
        **made,
        "moment_id": made["period_moment_id"],
        "ended_by": None,
        "usage_to_date": made["to_date"],
        "billing_at": made["made_at"],
        "finalizes_at": made["made_at"],
        "request_id": made["transaction_id"],
    }
    book = KnownBook(session, made["organization_id"], int(made["known_batch_id"]))
    found = explain_usage(reader, book, moment, {**fee, "moment_id": moment["moment_id"]}, money, events_shown)
    what = "" if made["transaction_id"] is None else f" for event {made['transaction_id']}"
    opening = f"Made without an invoice on {made['billing_date']}{what}; it was paid, so it is on this invoice now."
    return replace(found, fee=fee, sentences=(opening, *found.sentences))


def _restated(session: Session, moment_id: str, known_by: Row, transaction_id: str | None) -> Row:
    """A period that was billed, or an event of it that is paid in advance, as a later invoice knew it."""
    [moment] = named_rows(
        session,
        f"select {', '.join(_MOMENT)} from {session.schema('ledger')}.ledger_moments where moment_id = ?",
        _MOMENT,
        [moment_id],
    )
    known_to = max(known_by["finalizes_at"], known_by["usage_to_at"])
    event = {} if transaction_id is None else {"reason": "advance_charge", "request_id": transaction_id}
    return {
        **moment, **event, "finalizes_at": known_to, "restated_to_at": known_to,
        "known_batch_id": known_by["known_batch_id"],
    }  # fmt: skip


def _found_invoice(session: Session, number: str, organization_id: str | None) -> Row:
    found = [
        row
        for key in find_invoice(session, number)
        for row in _ledger_rows(session, "ledger_invoices", _INVOICE, key, "invoice_id")
        if organization_id in {None, row["organization_id"]}
    ]
    if not found:
        raise InputError(
            f"There is no invoice {number} in this warehouse. `select * from marts.fct_invoice` lists them."
        )
    if len(found) > 1:
        raise InputError(f"{len(found)} organisations have an invoice {number}: name one with --organization.")
    return found[0]


def _ledger_rows(session: Session, table: str, columns: tuple[str, ...], invoice_id: str, order: str) -> list[Row]:
    return named_rows(
        session,
        f"select {', '.join(columns)} from {session.schema('ledger')}.{table} where invoice_id = ? order by {order}",
        columns,
        [invoice_id],
    )
