"""An invoice as data: what is printed, and nothing of how.

Units, everywhere: ``…_amount_cents`` is an ``int`` in the currency's minor unit (a yen, a cent, a
fils); ``precise_…_amount_cents`` is an exact ``Decimal`` in the same unit; a ``Decimal`` amount
without ``_cents`` is in the major unit; ``…_rate`` is in percent. Dates are calendar dates of the
customer's time zone, and a period on a document includes both its ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

STRICT = ConfigDict(strict=True, extra="forbid")
"""How `load_invoice` reads each class: nothing is coerced, no unknown field is let through."""


class InvoiceType(StrEnum):
    """What caused an invoice."""

    SUBSCRIPTION = "subscription"
    ONE_OFF = "one_off"
    CREDIT = "credit"
    PROGRESSIVE_BILLING = "progressive_billing"
    ADVANCE_CHARGES = "advance_charges"


class InvoiceStatus(StrEnum):
    """How final an invoice is; a draft and a voided invoice say so in print."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    CLOSED = "closed"
    VOIDED = "voided"


class FeeType(StrEnum):
    """What a line bills."""

    SUBSCRIPTION = "subscription"
    CHARGE = "charge"
    FIXED_CHARGE = "fixed_charge"
    COMMITMENT = "commitment"
    TRUE_UP = "true_up"
    ADD_ON = "add_on"
    CREDIT = "credit"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of days, both ends included."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    from_date: date
    to_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A seller or a customer, in any script.

    ``country_code`` is ISO 3166 alpha-2. ``logo`` is an image as a ``data:`` URI (`logo_data_uri`
    makes one); an address on the network is refused.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    legal_name: str | None = None
    address_lines: tuple[str, ...] = ()
    zipcode: str | None = None
    city: str | None = None
    state: str | None = None
    country_code: str | None = None
    email: str | None = None
    tax_identification_number: str | None = None
    logo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One priced range of a line, amounts in the major unit; ``to_value`` None has no end.

    A range has a price per unit, or a ``rate`` in percent of its units.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    from_value: Decimal
    to_value: Decimal | None
    units: Decimal
    per_unit_amount: Decimal | None
    flat_amount: Decimal
    amount: Decimal
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price that is no amount per unit, amounts in the major unit.

    Either ``rate`` percent of the units, with ``fixed_amount`` for each event and limits for each event, or
    ``package_amount`` for each ``package_size`` units begun; ``free_units`` and ``free_events`` are left out.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    rate: Decimal | None = None
    fixed_amount: Decimal | None = None
    event_min_amount: Decimal | None = None
    event_max_amount: Decimal | None = None
    package_size: Decimal | None = None
    package_amount: Decimal | None = None
    free_units: Decimal | None = None
    free_events: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingUnit:
    """What a line's prices are in where that is not the currency; ``conversion_rate`` is its worth in the major unit."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    conversion_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fee.

    ``code`` and ``name`` are the charge's (or plan's, or add-on's); lines of one subscription with
    the same fee type, code and name are printed under one heading. ``filter`` maps a property to
    the values that the line covers, or to None for all values; a filter of None is the default
    bucket. ``group`` maps a property to the one value of the line, None where events lack it.
    ``unit_amount`` is the exact price of a unit in the major unit, None where there is not one
    price; ``price`` is one of another kind. With a ``pricing_unit`` prices and the amounts of tiers
    are in that unit, those of the line in the currency. ``precise_amount_cents`` is the amount
    before rounding.
    ``customer_id`` is given where the customer billed is not the one that used it: its child.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    fee_type: FeeType
    code: str
    name: str
    units: Decimal
    amount_cents: int
    precise_amount_cents: Decimal
    tax_rate: Decimal
    unit_amount: Decimal | None = None
    events_count: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    customer_id: str | None = None
    customer_name: str | None = None
    subscription_id: str | None = None
    subscription_name: str | None = None
    filter: Mapping[str, tuple[str, ...] | None] | None = None
    group: Mapping[str, str | None] | None = None
    tiers: tuple[Tier, ...] = ()
    price: Price | None = None
    pricing_unit: PricingUnit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """One tax of the invoice: what it was taken on, and what it came to."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    code: str
    name: str
    rate: Decimal
    base_amount_cents: int
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The way from fees to the amount due; deductions are given as positive amounts."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    fees_amount_cents: int
    progressive_billing_credit_amount_cents: int
    coupons_amount_cents: int
    sub_total_excluding_taxes_amount_cents: int
    taxes_amount_cents: int
    tax_rounding_amount_cents: int
    sub_total_including_taxes_amount_cents: int
    credit_notes_amount_cents: int
    prepaid_credit_amount_cents: int
    total_amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice as it is printed.

    ``currency`` is ISO 4217 and ``currency_exponent`` how many decimals its minor unit stands for
    (EUR 2, JPY 0, KWD 3): the caller's register decides, not the renderer's. ``locale`` names the
    language of words, dates and numbers. ``net_payment_term`` is in days.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    number: str
    invoice_type: InvoiceType
    status: InvoiceStatus
    issuing_date: date
    payment_due_date: date
    currency: str
    currency_exponent: int
    seller: Party
    customer: Party
    lines: tuple[Line, ...]
    tax_lines: tuple[TaxLine, ...]
    totals: Totals
    net_payment_term: int = 0
    period: Period | None = None
    purchase_order_number: str | None = None
    notes: tuple[str, ...] = ()
    locale: str = "en"
