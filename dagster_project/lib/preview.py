"""Invoices that are not finalised yet, as they would be at the newest close: what the marts say of one subscription."""

import json
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.errors import InputError
from dagster_project.lib.warehouse import Session, named_rows, tables_of

Row = dict[str, Any]
_INVOICE = (
    "invoice_id", "organization_id", "external_customer_id", "invoice_state", "as_of", "billing_at", "issuing_date",
    "currency", "currency_exponent", "fees_amount_cents", "progressive_billing_credit_amount_cents",
    "taxes_amount_cents", "total_amount_cents", "credit_notes_balance_cents", "wallets_balance_cents",
)  # fmt: skip
_LINE = (
    "line_number", "external_subscription_id", "subscription_name", "fee_type", "fee_code", "fee_name",
    "filter_values", "group_values", "from_date", "to_date", "units", "events_count", "unit_price", "amount_cents",
    "taxes_rate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InvoicePreview:
    """An invoice as it would be now, with its lines in order."""

    invoice: Row
    lines: tuple[Row, ...]


def preview_invoices(
    session: Session, subscription: str, *, organization_id: str | None = None
) -> list[InvoicePreview]:
    """The drafts and the running invoice of a subscription, by their billing moment.

    Raises InputError when there is none, or when several organisations have a subscription of that id.
    """
    marts = session.schema("marts")
    if "rpt_invoice_preview" not in tables_of(session, marts):
        raise InputError("This warehouse holds no previews yet: they are made by a close (`meterhouse close`).")
    found = named_rows(
        session,
        f"select {', '.join(f'i.{column}' for column in _INVOICE)} from {marts}.rpt_invoice_preview i "
        f"where exists (select 1 from {marts}.rpt_invoice_preview_line l where l.invoice_id = i.invoice_id "
        "and l.external_subscription_id = ?) order by i.billing_at, i.invoice_id",
        _INVOICE,
        [subscription],
    )
    found = [row for row in found if organization_id in {None, row["organization_id"]}]
    if not found:
        raise InputError(
            f"Nothing is open for the subscription {subscription}: it has not begun, has ended, or is not in this "
            "warehouse. `select * from marts.dim_subscription` lists them."
        )
    organizations = {row["organization_id"] for row in found}
    if len(organizations) > 1:
        raise InputError(
            f"{len(organizations)} organisations have a subscription {subscription}: name one with --organization."
        )
    return [InvoicePreview(row, _lines(session, row["invoice_id"])) for row in found]


def _lines(session: Session, invoice_id: str) -> tuple[Row, ...]:
    rows = named_rows(
        session,
        f"select {', '.join(_LINE)} from {session.schema('marts')}.rpt_invoice_preview_line where invoice_id = ? "
        "order by line_number",
        _LINE,
        [invoice_id],
    )
    for row in rows:
        for column in ("filter_values", "group_values"):
            row[column] = json.loads(row[column]) if row[column] else None
    return tuple(rows)
