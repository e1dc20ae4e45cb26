"""The catalogue's rows, as written in a book: what is sold (docs/book.md)."""

from decimal import Decimal
from typing import ClassVar, Literal

from dagster_project.lib.book._types import (
    ALWAYS,
    BookModel,
    Boolean,
    Cents,
    Count,
    Country,
    Currency,
    Exponent,
    Integer,
    ListOf,
    MappingOf,
    NumberOrQuantity,
    PositiveCount,
    PositiveUnits,
    Price,
    Quantity,
    Since,
    TaxRate,
    Text,
    Time,
    Timezone,
    Units,
)

ChargeModel = Literal[
    "standard",
    "graduated",
    "graduated_percentage",
    "package",
    "percentage",
    "volume",
    "dynamic",
    "custom",
]
FixedChargeModel = Literal["standard", "graduated", "volume"]
Aggregation = Literal[
    "count_agg",
    "sum_agg",
    "max_agg",
    "unique_count_agg",
    "weighted_sum_agg",
    "latest_agg",
    "custom_agg",
]
Interval = Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"]
Frequency = Literal["once", "recurring", "forever"]
LateUsage = Literal["report", "adjust"]
ALL_FILTER_VALUES = "__ALL_FILTER_VALUES__"


class Row(BookModel):
    """Base of the rows of a book's tables."""

    organization_id: Text | None = None


class CatalogRow(Row):
    """A row of the catalogue: one version, in force from `effective_at` on (default: always)."""

    code: Text
    effective_at: Since = ALWAYS


class Address(BookModel):
    """Keys of an address, shared by organisations, billing entities and customers."""

    legal_name: Text | None = None
    address_line1: Text | None = None
    address_line2: Text | None = None
    zipcode: Text | None = None
    city: Text | None = None
    state: Text | None = None
    country: Country | None = None
    email: Text | None = None
    tax_identification_number: Text | None = None


class BillingEntity(Address):
    """A legal entity of an organisation that bills in its own name."""

    code: Text
    name: Text | None = None
    logo: Text | None = None
    timezone: Timezone | None = None
    default_currency: Currency | None = None
    eu_tax_management: Boolean | None = None
    invoice_grace_period: Count | None = None
    net_payment_term: Count | None = None
    document_numbering: Literal["per_customer", "per_organization"] | None = None
    document_number_prefix: Text | None = None


class Organization(Address):
    """Who bills, and its settings; grace period and payment term are in days."""

    id: Text | None = None
    name: Text | None = None
    logo: Text | None = None
    timezone: Timezone = "UTC"
    default_currency: Currency
    eu_tax_management: Boolean = False
    invoice_grace_period: Count = 0
    net_payment_term: Count = 0
    finalize_zero_amount_invoice: Boolean = True
    document_numbering: Literal["per_customer", "per_organization"] = "per_customer"
    document_number_prefix: Text | None = None
    late_usage: LateUsage = "report"
    late_usage_limit_cents: Cents = 0
    billing_entities: ListOf[BillingEntity] = ()


class Tax(CatalogRow):
    """A tax; the rate is a percentage."""

    name: Text | None = None
    rate: TaxRate
    applied_to_organization: Boolean = False


class MetricFilter(BookModel):
    """A property of events by which charges may price apart, with its closed list of values."""

    key: Text
    values: ListOf[Text]


class CustomAggregator(BookModel):
    """SQL aggregate expressions over `value`, `timestamp` and `property('name')`."""

    units: Text
    amount: Text | None = None


class BillableMetric(CatalogRow):
    """How events become units."""

    name: Text | None = None
    event_code: Text | None = None
    aggregation_type: Aggregation
    field_name: Text | None = None
    recurring: Boolean = False
    expression: Text | None = None
    rounding_function: Literal["round", "ceil", "floor"] | None = None
    rounding_precision: Integer | None = None
    weighted_interval: Literal["seconds"] | None = None
    filters: ListOf[MetricFilter] = ()
    custom_aggregator: CustomAggregator | None = None


class AddOn(CatalogRow):
    """Something sold once or by fixed charges."""

    name: Text | None = None
    amount_cents: Cents
    amount_currency: Currency
    tax_codes: ListOf[Text] = ()


class CouponTargets(BookModel):
    """What a coupon is limited to; empty lists: everything."""

    plan_codes: ListOf[Text] = ()
    billable_metric_codes: ListOf[Text] = ()


class Coupon(CatalogRow):
    """A discount."""

    name: Text | None = None
    coupon_type: Literal["fixed_amount", "percentage"]
    amount_cents: Cents | None = None
    amount_currency: Currency | None = None
    percentage_rate: Price | None = None
    frequency: Frequency
    frequency_duration: PositiveCount | None = None
    expiration: Literal["no_expiration", "time_limit"] = "no_expiration"
    expiration_at: Time | None = None
    reusable: Boolean = True
    applies_to: CouponTargets = CouponTargets()


class PricingUnit(CatalogRow):
    """A unit other than a currency in which charges may be priced."""

    name: Text | None = None
    exponent: Exponent = 2


class PricedRange(BookModel):
    """A range of a graduated or volume price; `to_value` null: without end."""

    from_value: NumberOrQuantity
    to_value: NumberOrQuantity | None = None
    per_unit_amount: Price
    flat_amount: Price = Decimal(0)


class PercentageRange(BookModel):
    """A range of a graduated percentage price; the rate is a percentage."""

    from_value: NumberOrQuantity
    to_value: NumberOrQuantity | None = None
    rate: Price
    flat_amount: Price = Decimal(0)


class Properties(BookModel):
    """Prices of a bucket; which keys belong to which model: `_plan_checks.PROPERTIES`."""

    amount: Price | None = None
    graduated_ranges: ListOf[PricedRange] | None = None
    volume_ranges: ListOf[PricedRange] | None = None
    graduated_percentage_ranges: ListOf[PercentageRange] | None = None
    package_size: PositiveUnits | None = None
    free_units: Units | None = None
    rate: Price | None = None
    fixed_amount: Price | None = None
    free_units_per_events: PositiveUnits | None = None
    free_units_per_total_aggregation: Quantity | None = None
    per_transaction_min_amount: Price | None = None
    per_transaction_max_amount: Price | None = None
    pricing_group_keys: ListOf[Text] = ()


class ChargeFilter(BookModel):
    """A bucket of a charge with prices of its own: every key has one of its values."""

    invoice_display_name: Text | None = None
    values: MappingOf[ListOf[Text]]
    properties: Properties = Properties()


class AppliedPricingUnit(BookModel):
    """The pricing unit of a charge and what one of it is worth in the plan's currency."""

    code: Text
    conversion_rate: Price


class Charge(BookModel):
    """A usage charge of a plan."""

    code: Text
    billable_metric_code: Text
    charge_model: ChargeModel
    invoice_display_name: Text | None = None
    pay_in_advance: Boolean = False
    invoiceable: Boolean = True
    prorated: Boolean = False
    min_amount_cents: Cents = 0
    tax_codes: ListOf[Text] = ()
    properties: Properties = Properties()
    filters: ListOf[ChargeFilter] = ()
    regroup_paid_fees: Literal["invoice"] | None = None
    applied_pricing_unit: AppliedPricingUnit | None = None


class FixedCharge(BookModel):
    """Units of an add-on that a plan bills every period."""

    code: Text
    add_on_code: Text
    charge_model: FixedChargeModel = "standard"
    invoice_display_name: Text | None = None
    units: Quantity
    pay_in_advance: Boolean = False
    prorated: Boolean = False
    tax_codes: ListOf[Text] = ()
    properties: Properties = Properties()


class UsageThreshold(BookModel):
    """An amount of usage at which an invoice is made before the period's end."""

    amount_cents: Cents
    recurring: Boolean = False


class MinimumCommitment(BookModel):
    """What a customer pays at least per period of the plan."""

    amount_cents: Cents
    tax_codes: ListOf[Text] = ()


class ChargeChange(BookModel):
    """The keys of a charge that a subscription or a phase replaces; `code` names the charge."""

    code: Text
    invoice_display_name: Text | None = None
    min_amount_cents: Cents | None = None
    tax_codes: ListOf[Text] | None = None
    properties: Properties | None = None
    filters: ListOf[ChargeFilter] | None = None
    pay_in_advance: Boolean | None = None
    invoiceable: Boolean | None = None
    prorated: Boolean | None = None
    billable_metric_code: Text | None = None
    charge_model: ChargeModel | None = None
    regroup_paid_fees: Literal["invoice"] | None = None
    applied_pricing_unit: AppliedPricingUnit | None = None


class FixedChargeChange(BookModel):
    """The keys of a fixed charge that a subscription or a phase replaces."""

    code: Text
    invoice_display_name: Text | None = None
    units: Quantity | None = None
    tax_codes: ListOf[Text] | None = None
    properties: Properties | None = None
    pay_in_advance: Boolean | None = None
    prorated: Boolean | None = None
    add_on_code: Text | None = None
    charge_model: FixedChargeModel | None = None


class PlanChange(BookModel):
    """The keys of a plan that may be replaced; lists of thresholds and taxes replace the plan's.

    `minimum_commitment` null takes the plan's away.
    """

    keys_with_null: ClassVar[frozenset[str]] = frozenset({"minimum_commitment"})

    name: Text | None = None
    invoice_display_name: Text | None = None
    interval: Interval | None = None
    amount_cents: Cents | None = None
    amount_currency: Currency | None = None
    pay_in_advance: Boolean | None = None
    bill_charges_monthly: Boolean | None = None
    bill_fixed_charges_monthly: Boolean | None = None
    trial_period: NumberOrQuantity | None = None
    tax_codes: ListOf[Text] | None = None
    minimum_commitment: MinimumCommitment | None = None
    usage_thresholds: ListOf[UsageThreshold] | None = None
    charges: ListOf[ChargeChange] | None = None
    fixed_charges: ListOf[FixedChargeChange] | None = None


class PlanOverrides(PlanChange):
    """What a subscription's private copy of its plan has of its own."""

    phases: "ListOf[Phase] | None" = None


class Phase(PlanChange):
    """What a plan becomes after a number of its periods."""

    after_periods: PositiveCount


class Plan(CatalogRow):
    """A plan: what a subscription pays. `trial_period` is in days."""

    name: Text | None = None
    invoice_display_name: Text | None = None
    interval: Interval
    amount_cents: Cents
    amount_currency: Currency
    pay_in_advance: Boolean = False
    bill_charges_monthly: Boolean = False
    bill_fixed_charges_monthly: Boolean = False
    trial_period: NumberOrQuantity = Decimal(0)
    tax_codes: ListOf[Text] = ()
    minimum_commitment: MinimumCommitment | None = None
    usage_thresholds: ListOf[UsageThreshold] = ()
    charges: ListOf[Charge] = ()
    fixed_charges: ListOf[FixedCharge] = ()
    phases: ListOf[Phase] = ()
    cascade_updates: Boolean = True


CATALOG_MODELS: dict[str, type[CatalogRow]] = {
    "taxes": Tax,
    "pricing_units": PricingUnit,
    "billable_metrics": BillableMetric,
    "add_ons": AddOn,
    "plans": Plan,
    "coupons": Coupon,
}
