"""What a run of cases left in the warehouse, read once for all cases and split by organisation."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_project.lib.warehouse import Session

Row = dict[str, Any]

# the amounts from the fees to the total, in minor units
TOTALS = (
    "fees_amount_cents",
    "progressive_billing_credit_amount_cents",
    "coupons_amount_cents",
    "sub_total_excluding_taxes_amount_cents",
    "taxes_amount_cents",
    "sub_total_including_taxes_amount_cents",
    "credit_notes_amount_cents",
    "prepaid_credit_amount_cents",
    "total_amount_cents",
)
_INVOICE = (
    "organization_id",
    "invoice_id",
    "external_customer_id",
    "invoice_type",
    "invoice_status",
    "invoice_number",
    "issuing_date",
    "payment_due_date",
    *TOTALS,
)
_FEE = (
    "invoice_id",
    "organization_id",
    "fee_type",
    "fee_code",
    "filter_values",
    "group_values",
    "from_date",
    "to_date",
    "units",
    "events_count",
    "amount_cents",
    "precise_amount_cents",
)
_USAGE = (
    "organization_id",
    "subscription",
    "charge",
    "filter",
    "group",
    "units",
    "events_count",
    "amount_cents",
)
_CREDIT_NOTE = (
    "organization_id",
    "customer",
    "invoice_id",
    "code",
    "number",
    "issued_at",
    "credit_amount_cents",
    "refund_amount_cents",
    "offset_amount_cents",
    "taxes_amount_cents",
    "total_amount_cents",
    "balance_amount_cents",
)
_WALLET = ("organization_id", "code", "balance_cents", "credits_balance", "consumed_credits")


@dataclass(slots=True)
class CaseOutcome:
    """What one organisation got: its invoices in order of creation, their fees, its running usage, why it was held."""

    invoices: list[Row] = field(default_factory=list)
    fees: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    usage: list[Row] = field(default_factory=list)
    credit_notes: list[Row] = field(default_factory=list)
    wallets: list[Row] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def read_outcomes(session: Session) -> Mapping[str, CaseOutcome]:
    """The outcome of each organisation in the warehouse's only close."""
    outcomes: defaultdict[str, CaseOutcome] = defaultdict(CaseOutcome)
    ledger, intermediate = session.schema("ledger"), session.schema("intermediate")
    invoices = {row["invoice_id"]: row for row in _invoices(session, ledger, intermediate)}
    for row in invoices.values():
        outcomes[row["organization_id"]].invoices.append(row)
    for row in _rows(
        session,
        _FEE,
        f"select {', '.join(_FEE)} from {ledger}.ledger_fees union all "
        f"select {', '.join(_FEE)} from {intermediate}.int_fees_taxed where invoice_state = 'draft'",
    ):
        for column in ("filter_values", "group_values"):
            row[column] = json.loads(row[column]) if row[column] else None
        outcomes[row["organization_id"]].fees[row["invoice_id"]].append(row)
    for row in _credit_notes(session, ledger):
        credited = invoices.get(row["invoice_id"], {})
        row["subscriptions"] = credited.get("subscriptions", set())
        row["invoice_type"] = credited.get("invoice_type")
        row["issuing_dates"] = {credited.get("issuing_date"), row["issued_at"].date()}
        outcomes[row["organization_id"]].credit_notes.append(row)
    for row in _wallets(session, ledger, intermediate):
        outcomes[row["organization_id"]].wallets.append(row)
    for row in _rows(
        session,
        _USAGE,
        "select organization_id, external_subscription_id, charge_code, filter_values, group_values, "
        f"units, events_count, amount_cents from {intermediate}.int_usage_running",
    ):
        for column in ("filter", "group"):
            row[column] = json.loads(row[column]) if row[column] else None
        outcomes[row["organization_id"]].usage.append(row)
    for organization_id, detail in session.rows(
        f"select distinct organization_id, detail from {ledger}.ledger_held_customers order by 1, 2"
    ):
        outcomes[organization_id].findings.append(detail)
    return outcomes


def _invoices(session: Session, ledger: str, intermediate: str) -> list[Row]:
    """Finalised invoices, drafts among them, in order of creation, each with the subscriptions that it is for."""
    subscriptions: defaultdict[str, set[str]] = defaultdict(set)
    for invoice_id, subscription in session.rows(
        f"select invoice_id, external_subscription_id from {intermediate}.int_invoices_scheduled "
        "where external_subscription_id is not null"
    ):
        subscriptions[invoice_id].add(subscription)
    voided = {key for (key,) in session.rows(f"select invoice_id from {ledger}.ledger_invoice_voids")}
    final, draft = (
        f"select {', '.join(_INVOICE)}, billing_at, instant_rank, order_key from {relation}"
        for relation in (f"{ledger}.ledger_invoices", f"{intermediate}.int_invoices_drafted")
    )
    rows = _rows(
        session,
        _INVOICE,
        f"select {', '.join(_INVOICE)} from ({final} union all {draft.replace('invoice_number', 'null')}) as invoices "
        "order by organization_id, billing_at, instant_rank, order_key, invoice_id",
    )
    for row in rows:
        row["subscriptions"] = subscriptions[row["invoice_id"]]
        if row["invoice_id"] in voided:
            row["invoice_status"] = "voided"
    return rows


def _credit_notes(session: Session, ledger: str) -> list[Row]:
    return _rows(
        session,
        _CREDIT_NOTE,
        "select notes.organization_id, notes.external_customer_id, notes.invoice_id, notes.credit_note_code, "
        "notes.credit_note_number, notes.issued_at, notes.credit_amount_cents, notes.refund_amount_cents, "
        "notes.offset_amount_cents, notes.taxes_amount_cents, notes.total_amount_cents, coalesce(balances.balance_cents, 0) "
        f"from {ledger}.ledger_credit_notes as notes left join {ledger}.ledger_balances as balances "
        "on balances.source_type = 'credit_note' and balances.source_id = notes.credit_note_id "
        "order by notes.organization_id, notes.issued_at, notes.issue_order, notes.credit_note_id",
    )


def _wallets(session: Session, ledger: str, intermediate: str) -> list[Row]:
    """Wallets with what is left in them; what an ended one lost in the ledger stays on it, of no use to anybody."""
    return _rows(
        session,
        _WALLET,
        "select wallets.organization_id, wallets.wallet_code, "
        "coalesce(balances.balance_cents, 0) - coalesce(lost.amount_cents, 0), "
        "coalesce(balances.credits_balance, 0) - coalesce(lost.credits, 0), coalesce(balances.consumed_credits, 0) "
        f"from {intermediate}.int_wallets as wallets left join {ledger}.ledger_balances as balances "
        "on balances.source_type = 'wallet' and balances.source_id = wallets.source_id "
        f"left join {ledger}.ledger_wallet_moves as lost on wallets.organization_id = lost.organization_id "
        "and wallets.wallet_code = lost.wallet_code and lost.move_kind in ('expired', 'terminated') order by 1, 2",
    )


def _rows(session: Session, columns: tuple[str, ...], sql: str) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in session.rows(sql)]
