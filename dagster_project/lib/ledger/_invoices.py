"""Committed invoices as the mapping that documents are made from and messages show, written as JSON by the engine."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.canonical_json import canonical_json, canonical_object
from dagster_project.lib.exact import ALL_FILTER_VALUES
from dagster_project.lib.ledger._json import exact, members, text, whole, word
from dagster_project.lib.ledger._keys import VOID
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
_IS_OF_CHILD = "f.external_customer_id <> i.external_customer_id"
[_LINE_BEFORE_FILTER, _LINE_BEFORE_GROUP, _LINE_END] = members(
    {
        "fee_type": word("f.fee_type"),
        "code": text("f.fee_code"),
        "name": text("f.fee_name"),
        "units": exact("f.units"),
        "amount_cents": whole("f.amount_cents"),
        "precise_amount_cents": exact("f.precise_amount_cents"),
        "tax_rate": exact("f.taxes_rate"),
        "unit_amount": exact("f.unit_price"),
        "events_count": whole("case when f.fee_type = 'charge' then f.events_count end"),
        "from_date": word("f.from_date"),
        "to_date": word("f.to_date"),
        "customer_id": text(f"case when {_IS_OF_CHILD} then f.external_customer_id end"),
        "customer_name": text(f"case when {_IS_OF_CHILD} then m.customer_name end"),
        "subscription_id": text("f.external_subscription_id"),
        "subscription_name": text("m.subscription_name"),
        "tiers": "concat('[', t.tiers, ']')",
        "price": "coalesce(p.price, 'null')",
        "pricing_unit": "coalesce(u.pricing_unit, 'null')",
    },
    left_open=("filter", "group"),
)
[_TIER] = members(
    {
        name: exact(name)
        for name in ("from_value", "to_value", "units", "per_unit_amount", "rate", "flat_amount", "amount")
    }
)
_NO_PRICE = dict.fromkeys(
    (
        "rate",
        "fixed_amount",
        "event_min_amount",
        "event_max_amount",
        "package_size",
        "package_amount",
        "free_units",
        "free_events",
    ),
    "'null'",
)
[_PACKAGE] = members(
    {
        **_NO_PRICE,
        "package_size": word("c.package_size"),
        "package_amount": exact("c.amount"),
        "free_units": word("c.free_units"),
    }
)
[_PERCENTAGE] = members(
    {
        **_NO_PRICE,
        "rate": exact("c.rate"),
        "fixed_amount": exact("c.fixed_amount"),
        "event_min_amount": exact("c.per_transaction_min_amount"),
        "event_max_amount": exact("c.per_transaction_max_amount"),
        "free_units": exact("c.free_units_per_total_aggregation"),
        "free_events": whole("c.free_units_per_events"),
    }
)
[_PRICING_UNIT] = members(
    {
        "name": text("coalesce(nullif(n.pricing_unit_name, ''), c.applied_pricing_unit_code)"),
        "conversion_rate": exact("c.pricing_unit_conversion_rate"),
    }
)
[_TAX] = members(
    {
        "code": text("tax_code"),
        "name": text("coalesce(nullif(tax_name, ''), tax_code)"),
        "rate": exact("tax_rate"),
        "base_amount_cents": whole("taxable_amount_cents"),
        "amount_cents": whole("tax_amount_cents"),
    }
)
[_PARTY] = members(
    {
        "name": text("coalesce(nullif(party_name, ''), legal_name, '')"),
        "address_lines": (
            f"concat('[', case when address_line1 <> '' then {text('address_line1')} end, "
            "case when address_line1 <> '' and address_line2 <> '' then ',' end, "
            f"case when address_line2 <> '' then {text('address_line2')} end, ']')"
        ),
        "country_code": text("country"),
        **{
            name: text(name)
            for name in ("legal_name", "zipcode", "city", "state", "email", "tax_identification_number")
        },
    }
)
_FIELDS = {
    "number": text("i.invoice_number"),
    "invoice_type": word("i.invoice_type"),
    "status": word("i.invoice_status"),
    "issuing_date": word("i.issuing_date"),
    "payment_due_date": word("i.payment_due_date"),
    "net_payment_term": whole("i.net_payment_term"),
    "purchase_order_number": text("i.purchase_order_number"),
    "currency": text("i.currency"),
    "currency_exponent": whole("i.currency_exponent"),
    "period": (
        "case when f.from_date is null then 'null' else "
        + members({"from_date": word("f.from_date"), "to_date": word("f.to_date")})[0]
        + " end"
    ),
    "totals": members(
        {
            **{name: whole(f"i.{name}") for name in _TOTALS},
            "tax_rounding_amount_cents": whole("i.taxes_amount_cents - cast(coalesce(x.amount_cents, 0) as bigint)"),
        }
    )[0],
}
_ADDS_UP = (
    "i.fees_amount_cents = coalesce(f.amount_cents, 0) and i.sub_total_excluding_taxes_amount_cents = "
    "i.fees_amount_cents - i.progressive_billing_credit_amount_cents - i.coupons_amount_cents and "
    "i.sub_total_including_taxes_amount_cents = i.sub_total_excluding_taxes_amount_cents + i.taxes_amount_cents and "
    "i.total_amount_cents = "
    "i.sub_total_including_taxes_amount_cents - i.credit_notes_amount_cents - i.prepaid_credit_amount_cents"
)
# ids as one parameter: DuckDB spends more on thousands of them than on the query; what an invoice consists of is written by
# its close, so that the engine skips what other closes wrote
_THESE = "{0}invoice_id in (select unnest(?)) and {0}close_id between ? and ?"
_SHOWN = "(select unnest(cast(? as varchar[])) as given, unnest(cast(? as varchar[])) as shown)"
_NO_LINES = ("[]", 0)
# ids of invoices, and the first and the last close that wrote one of them
_Invoices = tuple[Sequence[str], int, int]
# what the ledger says nothing of
_CONSTANT = {"notes": "[]", "locale": '"en"'}


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """One committed, numbered invoice: its key, its place in the ledger and the mapping its documents are made from.

    A voided invoice has a second document that says so: `document_id` tells the two apart, `voided_at` is null for the
    first. `fields` are the mapping's fields by name, each as canonical JSON, without the seller's logo.
    """

    document_id: str
    invoice_id: str
    organization_id: str
    external_customer_id: str
    number: str
    finalized_at: Any
    voided_at: Any
    lines_count: int
    adds_up: bool
    """Whether the totals follow from the lines and from each other; `load_invoice` says what does not."""
    fields: Mapping[str, str]
    logo: str | None

    @property
    def document(self) -> dict[str, Any]:
        """The mapping that `load_invoice` reads."""
        document: dict[str, Any] = json.loads(canonical_object(self.fields))
        document["seller"]["logo"] = self.logo
        return document


def issued_invoices(session: Session, document_ids: Sequence[str]) -> list[IssuedInvoice]:
    """The invoices with their parties, lines, tiers and taxes, in the order of `document_ids`.

    An id is that of an invoice, or one of `void_document_ids`.
    """
    if not document_ids:
        return []
    these = _these(session, sorted({key.removesuffix(VOID) for key in document_ids}))
    invoices = _invoices(session, these)
    lines = _lines(session, these)
    parties = _parties(session, these)
    taxes = _taxes(session, these)
    voided_at: dict[str, Any] = {}
    if any(key.endswith(VOID) for key in document_ids):
        ledger = session.schema("ledger")
        voided_at = dict(
            session.rows(
                f"select invoice_id, voided_at from {ledger}.ledger_invoice_voids where invoice_id in (select unnest(?))",
                [these[0]],
            )
        )
    issued = []
    for document_id in document_ids:
        key = document_id.removesuffix(VOID)
        row = invoices[key]
        seller, logo = parties[key, "seller"]
        fields = {
            **{name: row[name] for name in _FIELDS},
            **_CONSTANT,
            "seller": seller,
            "customer": parties[key, "customer"][0],
            "lines": lines.get(key, _NO_LINES)[0],
            "tax_lines": f"[{','.join(line for _, line in sorted(taxes[key]))}]",
        }
        if document_id != key:
            fields["status"] = canonical_json("voided")
        issued.append(
            IssuedInvoice(
                document_id=document_id,
                invoice_id=key,
                organization_id=row["organization_id"],
                external_customer_id=row["external_customer_id"],
                number=row["invoice_number"],
                finalized_at=row["finalized_at"],
                voided_at=voided_at[key] if document_id != key else None,
                lines_count=lines.get(key, _NO_LINES)[1],
                adds_up=row["adds_up"],
                fields=fields,
                logo=logo,
            )
        )
    return issued


def _these(session: Session, invoice_ids: Sequence[str]) -> _Invoices:
    [(first, last)] = session.rows(
        f"select min(close_id), max(close_id) from {session.schema('ledger')}.ledger_invoices "
        "where invoice_id in (select unnest(?))",
        [invoice_ids],
    )
    return invoice_ids, first, last


def _invoices(session: Session, these: _Invoices) -> dict[str, dict[str, Any]]:
    """The rows of invoices by id, with the fields that need no other row of theirs than sums."""
    ledger = session.schema("ledger")
    own = ("invoice_id", "organization_id", "external_customer_id", "invoice_number", "finalized_at")
    rows = named_rows(
        session,
        f"select {', '.join(f'i.{name}' for name in own)}, {_ADDS_UP}, {', '.join(_FIELDS.values())} "
        f"from {ledger}.ledger_invoices i "
        # an adjustment names the period that it mends, which was billed before
        "left join (select invoice_id, sum(amount_cents) as amount_cents, "
        "min(from_date) filter (where fee_type <> 'adjustment') as from_date, "
        "max(to_date) filter (where fee_type <> 'adjustment' and from_date is not null) as to_date "
        f"from {ledger}.ledger_fees where {_THESE.format('')} group by invoice_id) f on f.invoice_id = i.invoice_id "
        "left join (select invoice_id, sum(tax_amount_cents) as amount_cents "
        f"from {ledger}.ledger_invoice_taxes where {_THESE.format('')} group by invoice_id) x "
        f"on x.invoice_id = i.invoice_id where {_THESE.format('i.')}",
        (*own, "adds_up", *_FIELDS),
        [*these] * 3,
    )
    return {row["invoice_id"]: row for row in rows}


def _lines(session: Session, these: _Invoices) -> dict[str, tuple[str, int]]:
    """The lines of invoices in their order, as a JSON array, and how many they are.

    Prices that are no amount per unit are those of the catalogue as it was known when they were billed. Filters and
    groups, which the ledger holds as they were written, are put into canonical form here, each that differs once.
    """
    ledger, raw = session.schema("ledger"), session.schema("raw")
    shown = {
        column: {values: show(values) for (values,) in _of(session, f"distinct {column}", "ledger_fees", these)}
        for column, show in (("filter_values", _shown_filter), ("group_values", _shown_group))
    }
    line = (
        f"concat({_LINE_BEFORE_FILTER}, coalesce(filters.shown, 'null'), {_LINE_BEFORE_GROUP}, "
        f"coalesce(groups.shown, 'null'), {_LINE_END})"
    )
    rows = session.rows(
        f"select f.invoice_id, concat('[', string_agg({line}, ',' order by f.line_number), ']'), count(*) "
        f"from {ledger}.ledger_fees f inner join {ledger}.ledger_invoices i on i.invoice_id = f.invoice_id "
        "and i.close_id = f.close_id "
        f"left join {ledger}.ledger_moments m on m.invoice_id = f.invoice_id and m.moment_id = f.moment_id "
        "and m.close_id = f.close_id "
        f"left join {_SHOWN} filters on filters.given = f.filter_values "
        f"left join {_SHOWN} groups on groups.given = f.group_values "
        f"left join (select fee_id, string_agg({_TIER}, ',' order by tier_position) as tiers "
        f"from {ledger}.ledger_fee_tiers where {_THESE.format('')} group by fee_id) t on t.fee_id = f.fee_id "
        "left join (select f.fee_id, "
        f"case when f.charge_model = 'package' then {_PACKAGE} else {_PERCENTAGE} end as price, "
        "row_number() over (partition by f.fee_id order by c.batch_id desc, c.filter_position) as place "
        f"from {ledger}.ledger_fees f "
        f"inner join {ledger}.ledger_moments m on m.moment_id = f.moment_id and m.invoice_id = f.invoice_id "
        "and m.close_id = f.close_id "
        f"inner join {raw}.charge_filters c on c.organization_id = m.organization_id and c.plan_code = m.plan_code "
        "and c.effective_at = m.plan_effective_at and c.charge_code = f.fee_code and c.batch_id <= m.known_batch_id "
        "and coalesce(c.filter_values, '') = coalesce(f.filter_values, '') "
        f"where {_THESE.format('f.')} and f.fee_type = 'charge' and f.charge_model in ('percentage', 'package')) p "
        "on p.fee_id = f.fee_id and p.place = 1 "
        f"left join (select f.fee_id, {_PRICING_UNIT} as pricing_unit, "
        "row_number() over (partition by f.fee_id order by n.effective_at desc, n.batch_id desc) as place "
        f"from {ledger}.ledger_fees f "
        f"inner join {ledger}.ledger_moments m on m.moment_id = f.moment_id and m.invoice_id = f.invoice_id "
        "and m.close_id = f.close_id "
        "inner join (select *, lead(batch_id) over (partition by organization_id, plan_code, effective_at, charge_code "
        f"order by batch_id) as next_batch_id from {raw}.charges) c on c.organization_id = m.organization_id "
        "and c.plan_code = m.plan_code and c.effective_at = m.plan_effective_at and c.charge_code = f.fee_code "
        "and c.batch_id <= m.known_batch_id and coalesce(c.next_batch_id, m.known_batch_id + 1) > m.known_batch_id "
        f"inner join {raw}.pricing_units n on n.organization_id = m.organization_id and n.batch_id <= m.known_batch_id "
        "and n.pricing_unit_code = c.applied_pricing_unit_code and n.effective_at <= m.billing_at "
        f"where {_THESE.format('f.')} and f.fee_type = 'charge') u on u.fee_id = f.fee_id and u.place = 1 "
        f"where {_THESE.format('f.')} group by f.invoice_id",
        [
            *(part for values in shown.values() for part in (list(values), list(values.values()))),
            *[*these] * 4,
        ],
    )
    return {invoice_id: (lines, count) for invoice_id, lines, count in rows}


def _parties(session: Session, these: _Invoices) -> dict[tuple[str, str], tuple[str, str | None]]:
    """The parties by invoice and role: as JSON, and their logo."""
    rows = _of(session, f"invoice_id, party_role, {_PARTY}, logo", "ledger_parties", these)
    return {(invoice_id, role): (party, logo) for invoice_id, role, party, logo in rows}


def _taxes(session: Session, these: _Invoices) -> defaultdict[str, list[tuple[str, str]]]:
    """The tax lines by invoice: their code, and they as JSON."""
    taxes: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for invoice_id, code, line in _of(session, f"invoice_id, tax_code, {_TAX}", "ledger_invoice_taxes", these):
        taxes[invoice_id].append((code, line))
    return taxes


def _of(session: Session, columns: str, table: str, these: _Invoices) -> list[tuple[Any, ...]]:
    return session.rows(
        f"select {columns} from {session.schema('ledger')}.{table} where {_THESE.format('')}",
        these,
    )


def _shown_filter(values: str | None) -> str:
    """A filter; the wildcard stands for any of the values that the metric lists."""
    if not values:
        return "null"
    read: dict[str, list[str]] = json.loads(values)
    return canonical_json({key: None if ALL_FILTER_VALUES in listed else listed for key, listed in read.items()})


def _shown_group(values: str | None) -> str:
    return canonical_json(json.loads(values)) if values else "null"
