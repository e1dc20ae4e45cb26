"""Plain data to `Invoice` and back, with the figures checked on the way in.

The mapping is JSON: amounts in minor units are numbers without a fraction, everything exact
(units, prices, rates, precise amounts) is text such as ``"0.000003"``, dates are ISO 8601.
``?`` marks what may be null or left out::

    number, currency, currency_exponent, issuing_date, payment_due_date
    invoice_type          subscription | one_off | credit | progressive_billing | advance_charges
    status                draft | finalized | closed | voided
    net_payment_term?     days, 0
    period?               {from_date, to_date}, both included
    purchase_order_number?
    notes?                [text, …], a paragraph each
    locale?               "en"
    seller, customer      {name, legal_name?, address_lines?: [text, …], zipcode?, city?, state?,
                           country_code?, email?, tax_identification_number?,
                           logo?: "data:image/…;base64,…"}
    lines                 [{fee_type, code, name, units, amount_cents, precise_amount_cents,
                            tax_rate, unit_amount?, events_count?, from_date?, to_date?,
                            customer_id?, customer_name?, subscription_id?, subscription_name?,
                            filter?: {key: [value, …] | null}, group?: {key: value | null},
                            tiers?: [{from_value, to_value | null, units,
                                      per_unit_amount | null, rate?, flat_amount, amount}],
                            price?: {rate?, fixed_amount?, event_min_amount?, event_max_amount?,
                                     package_size?, package_amount?, free_units?, free_events?},
                            pricing_unit?: {name, conversion_rate}}]
      fee_type            subscription | charge | fixed_charge | commitment | true_up | add_on
                          | credit | adjustment
    tax_lines             [{code, name, rate, base_amount_cents, amount_cents}]
    totals                {fees_amount_cents, progressive_billing_credit_amount_cents,
                           coupons_amount_cents, sub_total_excluding_taxes_amount_cents,
                           taxes_amount_cents, sub_total_including_taxes_amount_cents,
                           credit_notes_amount_cents, prepaid_credit_amount_cents,
                           total_amount_cents, tax_rounding_amount_cents?}

``tax_rounding_amount_cents`` is the taxes less the tax lines; left out, it is worked out. Python
values that JSON has no word for are taken too: `Decimal`, `date`, and `bytes` for a logo.
"""

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from invoice_renderer._document import Invoice
from invoice_renderer._exceptions import InvoiceDataError, InvoiceTotalsError
from invoice_renderer._logo import check_logo, logo_data_uri

_READER = TypeAdapter(Invoice)


def load_invoice(data: Mapping[str, Any]) -> Invoice:
    """Read an invoice from the mapping that this module describes.

    Raises:
        InvoiceDataError: a field is missing, unknown or of the wrong kind (a binary fraction
            where an exact number belongs counts as one), or a logo is not an image in a data URI.
        InvoiceTotalsError: the totals do not follow from the lines and from each other.
    """
    label = f"invoice {_printable(str(data.get('number', 'without a number')))}"
    plain = _with_tax_rounding(_plain(data, (label,)))
    try:
        invoice = _READER.validate_json(json.dumps(plain))
    except ValidationError as error:
        raise InvoiceDataError(f"{label}: {_problems(error)}") from None
    for party in (invoice.seller, invoice.customer):
        check_logo(party.logo, where=label)
    _check_totals(invoice)
    return invoice


def to_mapping(invoice: Invoice) -> dict[str, Any]:
    """Give the mapping of an invoice: the inverse of `load_invoice`.

    Exact numbers come out in one spelling (no exponent, no trailing zeros), keys of filters and
    groups in order, so that equal invoices have equal mappings.
    """
    mapping: dict[str, Any] = _plain(invoice, (f"invoice {invoice.number}",))
    return mapping


def _plain(value: Any, where: tuple[str | int, ...]) -> Any:
    """Turn a value into what JSON has words for; a binary fraction is refused by its path.

    An invoice has hundreds of values: the common kinds come first, and a path becomes words only when it is told.
    """
    kind: Any = type(value)
    if (kind is str and value.isascii()) or kind is int or value is None:
        return value
    if kind is Decimal:
        return _exact_text(value, where)
    if names := _field_names(kind):
        return {name: _plain(getattr(value, name), (*where, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, (*where, str(key))) for key, item in sorted(value.items())}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item, (*where, position)) for position, item in enumerate(value, 1)]
    if isinstance(value, Decimal):
        return _exact_text(value, where)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return logo_data_uri(value)
    if isinstance(value, str) and value != _printable(value):
        raise InvoiceDataError(f"{_told(where)}: {value!a} is not valid Unicode text.")
    if isinstance(value, str | int):
        return value
    raise InvoiceDataError(
        f"{_told(where)}: got {value!r} ({kind.__name__}); amounts in minor units are whole "
        'numbers, and exact numbers are given as text, such as "0.000003".'
    )


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _told(where: tuple[str | int, ...]) -> str:
    return str(where[0]) + "".join(f" [{step}]" if isinstance(step, int) else f", {step}" for step in where[1:])


def _printable(text: str) -> str:
    """Give a text without halves of surrogate pairs, which no encoding can write."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _exact_text(value: Decimal, where: tuple[str | int, ...]) -> str:
    if not value.is_finite():
        raise InvoiceDataError(f"{_told(where)}: {value} is not a number that can be billed.")
    # Not Decimal.normalize: that rounds to the precision of the thread's decimal context.
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _with_tax_rounding(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in the rounding of the taxes where the rest is there to work it out from."""
    totals = plain.get("totals")
    if not isinstance(totals, dict) or "tax_rounding_amount_cents" in totals:
        return plain
    try:
        rounding = totals["taxes_amount_cents"] - sum(tax["amount_cents"] for tax in plain["tax_lines"])
    except (KeyError, TypeError):
        # The reader names the missing or wrong field; the rounding is only what follows from it.
        rounding = 0
    return {**plain, "totals": {**totals, "tax_rounding_amount_cents": rounding}}


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in problem['loc']) or 'the whole'}: {problem['msg']}"
        + ("" if problem["type"] == "missing" else f" (got {reprlib.repr(problem['input'])})")
        for problem in error.errors(include_url=False)
    )


def _check_totals(invoice: Invoice) -> None:
    totals = invoice.totals
    identities = (
        (
            "fees_amount_cents",
            totals.fees_amount_cents,
            "the sum of its lines",
            sum(line.amount_cents for line in invoice.lines),
        ),
        (
            "sub_total_excluding_taxes_amount_cents",
            totals.sub_total_excluding_taxes_amount_cents,
            "fees less progressive billing credit less coupons",
            totals.fees_amount_cents - totals.progressive_billing_credit_amount_cents - totals.coupons_amount_cents,
        ),
        (
            "taxes_amount_cents",
            totals.taxes_amount_cents,
            "the sum of its tax lines and their rounding",
            sum(tax.amount_cents for tax in invoice.tax_lines) + totals.tax_rounding_amount_cents,
        ),
        (
            "sub_total_including_taxes_amount_cents",
            totals.sub_total_including_taxes_amount_cents,
            "the sub-total excluding taxes plus taxes",
            totals.sub_total_excluding_taxes_amount_cents + totals.taxes_amount_cents,
        ),
        (
            "total_amount_cents",
            totals.total_amount_cents,
            "the sub-total including taxes less credit notes less prepaid credits",
            totals.sub_total_including_taxes_amount_cents
            - totals.credit_notes_amount_cents
            - totals.prepaid_credit_amount_cents,
        ),
    )
    broken = [
        f"{name} is {stated:,} but {rule} is {computed:,} (off by {stated - computed:,})"
        for name, stated, rule, computed in identities
        if stated != computed
    ]
    if broken:
        raise InvoiceTotalsError(
            f"invoice {invoice.number} does not add up, in minor units of {invoice.currency}: {'; '.join(broken)}."
        )
