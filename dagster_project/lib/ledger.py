"""Reading committed invoices from the ledger, in the shapes that documents and messages need."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from dagster_project.lib.exact import ALL_FILTER_VALUES
from dagster_project.lib.warehouse import Session, named_rows

_TOTALS = (
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
    "invoice_id",
    "organization_id",
    "external_customer_id",
    "invoice_number",
    "invoice_type",
    "invoice_status",
    "finalized_at",
    "issuing_date",
    "payment_due_date",
    "net_payment_term",
    "purchase_order_number",
    "currency",
    "currency_exponent",
    "close_id",
    *_TOTALS,
)
_PARTY = (
    "invoice_id",
    "party_role",
    "party_name",
    "legal_name",
    "address_line1",
    "address_line2",
    "zipcode",
    "city",
    "state",
    "country",
    "email",
    "tax_identification_number",
    "logo",
)
_FEE = (
    "invoice_id",
    "fee_id",
    "moment_id",
    "external_customer_id",
    "external_subscription_id",
    "line_number",
    "fee_type",
    "fee_code",
    "fee_name",
    "filter_values",
    "group_values",
    "from_date",
    "to_date",
    "units",
    "events_count",
    "unit_price",
    "amount_cents",
    "precise_amount_cents",
    "taxes_rate",
)
_TIER = (
    "invoice_id",
    "fee_id",
    "tier_position",
    "from_value",
    "to_value",
    "units",
    "per_unit_amount",
    "rate",
    "flat_amount",
    "amount",
)
_TAX = (
    "invoice_id",
    "tax_code",
    "tax_name",
    "tax_rate",
    "taxable_amount_cents",
    "tax_amount_cents",
)

_PRICE = (
    "fee_id",
    "charge_model",
    "rate",
    "fixed_amount",
    "per_transaction_min_amount",
    "per_transaction_max_amount",
    "package_size",
    "amount",
    "free_units",
    "free_units_per_total_aggregation",
    "free_units_per_events",
)

_TRIGGERED_ALERT = (
    "triggered_alert_id",
    "organization_id",
    "external_customer_id",
    "alert_code",
    "alert_name",
    "alert_type",
    "external_subscription_id",
    "wallet_code",
    "billable_metric_code",
    "threshold_code",
    "threshold_value",
    "is_recurring",
    "current_value",
    "triggered_at",
)
_VOID = ":void"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """One committed, numbered invoice: its key, its place in the ledger and the mapping its documents are made from.

    A voided invoice has a second document that says so: `document_id` tells the two apart, `voided_at` is null for the
    first.
    """

    document_id: str
    invoice_id: str
    organization_id: str
    external_customer_id: str
    number: str
    finalized_at: Any
    voided_at: Any
    document: Mapping[str, Any]


def issued_invoice_ids(session: Session) -> list[str]:
    """The ids of all committed invoices with a number, in order of close, organisation and number."""
    ledger = session.schema("ledger")
    if not _exists(session, ledger, "ledger_invoices"):
        return []
    return [
        invoice_id
        for (invoice_id,) in session.rows(
            f"select i.invoice_id from {ledger}.ledger_invoices i "
            f"inner join {ledger}.closes c on c.close_id = i.close_id "
            "where i.invoice_number is not null order by i.close_id, i.organization_id, i.organization_sequence"
        )
    ]


def void_document_ids(session: Session) -> list[str]:
    """The ids of the documents that say of an invoice that it is void, in order of close and time."""
    ledger = session.schema("ledger")
    if not _exists(session, ledger, "ledger_invoice_voids"):
        return []
    return [
        f"{invoice_id}{_VOID}"
        for (invoice_id,) in session.rows(
            f"select v.invoice_id from {ledger}.ledger_invoice_voids v "
            f"inner join {ledger}.closes c on c.close_id = v.close_id "
            "order by v.close_id, v.voided_at, v.invoice_id"
        )
    ]


def triggered_alerts(session: Session) -> list[Row]:
    """The thresholds of alerts that committed closes tell of, in order of close; values are exact text."""
    ledger = session.schema("ledger")
    if not _exists(session, ledger, "ledger_triggered_alerts"):
        return []
    columns = ", ".join(
        f"cast(a.{column} as varchar)" if column.endswith("_value") else f"a.{column}" for column in _TRIGGERED_ALERT
    )
    return [
        dict(zip(_TRIGGERED_ALERT, row, strict=True))
        for row in session.rows(
            f"select {columns} from {ledger}.ledger_triggered_alerts a "
            f"inner join {ledger}.closes c on c.close_id = a.close_id "
            "order by a.close_id, a.triggered_alert_id"
        )
    ]


def find_invoice(session: Session, number: str) -> list[str]:
    """The ids of the committed invoices with a number (several organisations may use the same)."""
    ledger = session.schema("ledger")
    if not _exists(session, ledger, "ledger_invoices"):
        return []
    return [
        invoice_id
        for (invoice_id,) in session.rows(
            f"select i.invoice_id from {ledger}.ledger_invoices i "
            f"inner join {ledger}.closes c on c.close_id = i.close_id where i.invoice_number = ? order by 1",
            [number],
        )
    ]


def issued_invoices(session: Session, document_ids: Sequence[str]) -> list[IssuedInvoice]:
    """The invoices with their parties, lines, tiers and taxes, in the order of `document_ids`.

    An id is that of an invoice, or one of `void_document_ids`.
    """
    if not document_ids:
        return []
    invoice_ids = sorted({key.removesuffix(_VOID) for key in document_ids})
    parties = _by_invoice(_read(session, "ledger_parties", _PARTY, invoice_ids))
    fees = _by_invoice(_read(session, "ledger_fees", _FEE, invoice_ids))
    tiers = _by_invoice(_read(session, "ledger_fee_tiers", _TIER, invoice_ids))
    taxes = _by_invoice(_read(session, "ledger_invoice_taxes", _TAX, invoice_ids))
    prices = _prices(session, invoice_ids)
    moment = ("invoice_id", "moment_id", "customer_name", "subscription_name")
    names = {
        (row["invoice_id"], row["moment_id"]): row for row in _read(session, "ledger_moments", moment, invoice_ids)
    }
    invoices = {row["invoice_id"]: row for row in _read(session, "ledger_invoices", _INVOICE, invoice_ids)}
    voided_at: dict[str, Any] = {}
    if any(key.endswith(_VOID) for key in document_ids):
        voids = _read(session, "ledger_invoice_voids", ("invoice_id", "voided_at"), invoice_ids)
        voided_at = {row["invoice_id"]: row["voided_at"] for row in voids}
    issued = []
    for document_id in document_ids:
        key = document_id.removesuffix(_VOID)
        document = _document(invoices[key], parties[key], fees[key], tiers[key], taxes[key], names, prices)
        if document_id != key:
            document["status"] = "voided"
        issued.append(
            IssuedInvoice(
                document_id=document_id,
                invoice_id=key,
                organization_id=invoices[key]["organization_id"],
                external_customer_id=invoices[key]["external_customer_id"],
                number=invoices[key]["invoice_number"],
                finalized_at=invoices[key]["finalized_at"],
                voided_at=voided_at[key] if document_id != key else None,
                document=document,
            )
        )
    return issued


def _document(
    invoice: Row,
    parties: list[Row],
    fees: list[Row],
    tiers: list[Row],
    taxes: list[Row],
    names: Mapping[Any, Row],
    prices: Mapping[str, Row],
) -> dict[str, Any]:
    roles = {row["party_role"]: row for row in parties}
    by_fee: dict[str, list[Row]] = defaultdict(list)
    for tier in sorted(tiers, key=lambda row: row["tier_position"]):
        by_fee[tier["fee_id"]].append(tier)
    lines = sorted(fees, key=lambda row: row["line_number"])
    return {
        "number": invoice["invoice_number"],
        "invoice_type": invoice["invoice_type"],
        "status": invoice["invoice_status"],
        "issuing_date": invoice["issuing_date"],
        "payment_due_date": invoice["payment_due_date"],
        "net_payment_term": invoice["net_payment_term"],
        "purchase_order_number": invoice["purchase_order_number"],
        "currency": invoice["currency"],
        "currency_exponent": invoice["currency_exponent"],
        "period": _period(lines),
        "seller": _party(roles["seller"]),
        "customer": _party(roles["customer"]),
        "lines": [
            _line(
                row,
                by_fee[row["fee_id"]],
                names.get((row["invoice_id"], row["moment_id"]), {}),
                prices.get(row["fee_id"]),
                is_of_child=row["external_customer_id"] != invoice["external_customer_id"],
            )
            for row in lines
        ],
        "tax_lines": [
            {
                "code": tax["tax_code"],
                "name": tax["tax_name"] or tax["tax_code"],
                "rate": tax["tax_rate"],
                "base_amount_cents": tax["taxable_amount_cents"],
                "amount_cents": tax["tax_amount_cents"],
            }
            for tax in sorted(taxes, key=lambda row: row["tax_code"])
        ],
        "totals": {name: invoice[name] for name in _TOTALS},
    }


def _period(fees: list[Row]) -> dict[str, date] | None:
    dated = [row for row in fees if row["from_date"] is not None]
    if not dated:
        return None
    return {
        "from_date": min(row["from_date"] for row in dated),
        "to_date": max(row["to_date"] for row in dated),
    }


def _party(row: Row) -> dict[str, Any]:
    return {
        "name": row["party_name"] or row["legal_name"] or "",
        "legal_name": row["legal_name"],
        "address_lines": [line for line in (row["address_line1"], row["address_line2"]) if line],
        "zipcode": row["zipcode"],
        "city": row["city"],
        "state": row["state"],
        "country_code": row["country"],
        "email": row["email"],
        "tax_identification_number": row["tax_identification_number"],
        "logo": row["logo"],
    }


def _line(fee: Row, tiers: list[Row], names: Row, price: Row | None, *, is_of_child: bool) -> dict[str, Any]:
    line = {
        "fee_type": fee["fee_type"],
        "code": fee["fee_code"],
        "name": fee["fee_name"],
        "units": fee["units"],
        "amount_cents": fee["amount_cents"],
        "precise_amount_cents": fee["precise_amount_cents"],
        "tax_rate": fee["taxes_rate"],
        "unit_amount": fee["unit_price"],
        "events_count": fee["events_count"] if fee["fee_type"] == "charge" else None,
        "from_date": fee["from_date"],
        "to_date": fee["to_date"],
        "customer_id": fee["external_customer_id"] if is_of_child else None,
        "customer_name": names.get("customer_name") if is_of_child else None,
        "subscription_id": fee["external_subscription_id"],
        "subscription_name": names.get("subscription_name"),
        "filter": _filter(json.loads(fee["filter_values"])) if fee["filter_values"] else None,
        "group": json.loads(fee["group_values"]) if fee["group_values"] else None,
        "tiers": [
            {
                name: tier[name]
                for name in (
                    "from_value",
                    "to_value",
                    "units",
                    "per_unit_amount",
                    "rate",
                    "flat_amount",
                    "amount",
                )
            }
            for tier in tiers
        ],
    }
    if price is not None:
        line["price"] = price
    return line


def _filter(values: Mapping[str, list[str]]) -> dict[str, list[str] | None]:
    """The wildcard stands for any of the values that the metric lists."""
    return {key: None if ALL_FILTER_VALUES in listed else listed for key, listed in values.items()}


def _prices(session: Session, invoice_ids: Sequence[str]) -> dict[str, Row]:
    """The terms of lines that are priced by percentage or by package, as the catalogue had them when they were billed."""
    ledger, raw = session.schema("ledger"), session.schema("raw")
    marks = ", ".join("?" for _ in invoice_ids)
    found = named_rows(
        session,
        f"select {', '.join(_PRICE)} from (select f.fee_id, f.charge_model, c.rate, c.fixed_amount, "
        "c.per_transaction_min_amount, c.per_transaction_max_amount, c.package_size, c.amount, c.free_units, "
        "c.free_units_per_total_aggregation, c.free_units_per_events, "
        "row_number() over (partition by f.fee_id order by c.batch_id desc, c.filter_position) as place "
        f"from {ledger}.ledger_fees f "
        f"inner join {ledger}.ledger_moments m on m.moment_id = f.moment_id and m.invoice_id = f.invoice_id "
        f"inner join {raw}.charge_filters c on c.organization_id = m.organization_id and c.plan_code = m.plan_code "
        "and c.effective_at = m.plan_effective_at and c.charge_code = f.fee_code and c.batch_id <= m.known_batch_id "
        "and coalesce(c.filter_values, '') = coalesce(f.filter_values, '') "
        f"where f.invoice_id in ({marks}) and f.fee_type = 'charge' and f.charge_model in ('percentage', 'package')"
        ") as terms where place = 1",
        _PRICE,
        list(invoice_ids),
    )
    return {row["fee_id"]: _price(row) for row in found}


def _price(row: Row) -> Row:
    if row["charge_model"] == "package":
        terms = {"package_size": row["package_size"], "package_amount": row["amount"], "free_units": row["free_units"]}
        return {name: None if value is None else Decimal(value) for name, value in terms.items()}
    return {
        "rate": row["rate"],
        "fixed_amount": row["fixed_amount"],
        "event_min_amount": row["per_transaction_min_amount"],
        "event_max_amount": row["per_transaction_max_amount"],
        "free_units": row["free_units_per_total_aggregation"],
        "free_events": None if row["free_units_per_events"] is None else int(row["free_units_per_events"]),
    }


def _read(session: Session, table: str, columns: Sequence[str], invoice_ids: Sequence[str]) -> list[Row]:
    marks = ", ".join("?" for _ in invoice_ids)
    rows = session.rows(
        f"select {', '.join(columns)} from {session.schema('ledger')}.{table} where invoice_id in ({marks})",
        list(invoice_ids),
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _by_invoice(rows: list[Row]) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["invoice_id"]].append(row)
    return grouped


def _exists(session: Session, schema: str, table: str) -> bool:
    return bool(
        session.rows(
            "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
            [schema, table],
        )
    )
