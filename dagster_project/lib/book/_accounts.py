"""The accounts' rows, as written in a book: who buys (docs/book.md)."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from dagster_project.lib.book._catalog import (
    Address,
    ChargeChange,
    FixedChargeChange,
    Frequency,
    LateUsage,
    MinimumCommitment,
    PlanOverrides,
    Row,
    UsageThreshold,
)
from dagster_project.lib.book._types import (
    BookModel,
    Boolean,
    Cents,
    Count,
    Credits,
    Currency,
    Date,
    Granted,
    ListOf,
    Object,
    PositiveCount,
    Price,
    Quantity,
    Since,
    Text,
    Time,
    Timezone,
)

FeeType = Literal[
    "subscription",
    "charge",
    "fixed_charge",
    "commitment",
    "true_up",
    "add_on",
    "credit",
    "adjustment",
]
InvoiceType = Literal["subscription", "one_off", "credit", "progressive_billing", "advance_charges"]


class TimezoneChange(BookModel):
    """A dated change of a customer's timezone."""

    timezone: Timezone
    effective_at: Since


class Customer(Row, Address):
    """Who pays; grace period and payment term are in days, null: the organisation's."""

    external_id: Text
    name: Text | None = None
    currency: Currency | None = None
    timezone: Timezone | None = None
    tax_codes: ListOf[Text] = ()
    vat_check: Literal["confirmed", "refused", "pending"] | None = None
    parent_external_id: Text | None = None
    invoice_grace_period: Count | None = None
    net_payment_term: Count | None = None
    finalize_zero_amount_invoice: Literal["inherit", "finalize", "skip"] | None = None
    late_usage: LateUsage | None = None
    late_usage_limit_cents: Cents | None = None
    billing_entity_code: Text | None = None
    timezone_changes: ListOf[TimezoneChange] = ()
    locale: Text | None = None
    payment_provider: Text | None = None
    payment_provider_customer_id: Text | None = None


class FixedChargeUnits(BookModel):
    """A dated change of the units of a fixed charge."""

    code: Text
    units: Quantity
    effective_at: Since


class Pause(BookModel):
    """A time in which a subscription rests; `to` null: until further notice."""

    from_: Time = Field(alias="from")
    to: Time | None = None


class Subscription(Row):
    """A customer on a plan; a later row of one external id is a plan change or a fresh start."""

    external_id: Text
    external_customer_id: Text
    plan_code: Text
    billing_time: Literal["calendar", "anniversary"] = "calendar"
    created_at: Time
    subscription_at: Time | None = None
    ending_at: Time | None = None
    terminated_at: Time | None = None
    plan_overrides: PlanOverrides | None = None
    usage_thresholds: ListOf[UsageThreshold] | None = None
    on_termination_credit_note: Literal["credit", "refund", "offset", "skip"] = "credit"
    on_termination_invoice: Literal["generate", "skip"] = "generate"
    fixed_charge_units: ListOf[FixedChargeUnits] = ()
    pauses: ListOf[Pause] = ()
    name: Text | None = None
    purchase_order_number: Text | None = None


class RateCard(Row):
    """Prices of a plan that are agreed with one customer, from a time on; `ending_at` null: until the next card."""

    external_customer_id: Text
    plan_code: Text
    effective_at: Since
    ending_at: Time | None = None
    amount_cents: Cents | None = None
    minimum_commitment: MinimumCommitment | None = None
    charges: ListOf[ChargeChange] | None = None
    fixed_charges: ListOf[FixedChargeChange] | None = None


class AppliedCoupon(Row):
    """A coupon attached to a customer; its own values replace the coupon's."""

    id: Text | None = None
    external_customer_id: Text
    coupon_code: Text
    created_at: Time
    terminated_at: Time | None = None
    amount_cents: Cents | None = None
    amount_currency: Currency | None = None
    percentage_rate: Price | None = None
    frequency: Frequency | None = None
    frequency_duration: PositiveCount | None = None


class WalletTargets(BookModel):
    """What a wallet is limited to; empty lists: everything."""

    fee_types: ListOf[FeeType] = ()
    billable_metric_codes: ListOf[Text] = ()


class RecurringTransactionRule(BookModel):
    """When and by how much a wallet is topped up by itself; credits are decimal units."""

    trigger: Literal["interval", "threshold"]
    interval: Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"] | None = None
    threshold_credits: Quantity | None = None
    method: Literal["fixed", "target"] = "fixed"
    paid_credits: Quantity | None = None
    granted_credits: Quantity | None = None
    target_ongoing_balance: Quantity | None = None
    started_at: Time | None = None
    expiration_at: Time | None = None
    transaction_name: Text | None = None


class Wallet(Row):
    """Prepaid credits of a customer; one credit is worth `rate_amount` currency units."""

    code: Text
    name: Text | None = None
    external_customer_id: Text
    rate_amount: Price = Decimal(1)
    currency: Currency
    created_at: Time
    expiration_at: Time | None = None
    terminated_at: Time | None = None
    priority: Count = 50
    applies_to: WalletTargets = WalletTargets()
    recurring_transaction_rules: ListOf[RecurringTransactionRule] = ()
    paid_top_up_min_amount_cents: Cents | None = None
    paid_top_up_max_amount_cents: Cents | None = None


class WalletTransaction(Row):
    """A top-up or a void of a wallet; `settled_at` null: a purchase that is not paid yet."""

    id: Text | None = None
    wallet_code: Text
    kind: Literal["granted", "purchased", "voided"]
    credits: Credits
    created_at: Time
    settled_at: Time | None = None
    priority: Count = 50
    name: Text | None = None


class OneOffFee(BookModel):
    """A line of a one-off invoice; the unit price defaults to the add-on's."""

    add_on_code: Text
    units: Quantity = Decimal(1)
    unit_amount_cents: Cents | None = None
    tax_codes: ListOf[Text] = ()
    invoice_display_name: Text | None = None
    description: Text | None = None


class OneOffInvoice(Row):
    """An invoice of add-ons outside of any subscription."""

    id: Text | None = None
    external_customer_id: Text
    created_at: Time
    currency: Currency
    fees: ListOf[OneOffFee]


class InvoiceMatch(BookModel):
    """Names an invoice: the `nth` (from 1, in order of creation) of those of that issuing date."""

    subscription: Text | None = None
    customer: Text | None = None
    issuing_date: Date | None = None
    invoice_type: InvoiceType | None = None
    nth: PositiveCount | None = None


class FeeMatch(BookModel):
    """Names a fee without an invoice: the `nth` (from 1, in order of creation) of those of the keys that are given."""

    subscription: Text
    charge: Text | None = None
    transaction_id: Text | None = None
    date: Date | None = None
    nth: PositiveCount | None = None


class CreditNoteItem(BookModel):
    """What of a fee is credited, before coupon and tax."""

    fee: Text
    amount_cents: Cents


class CreditNote(Row):
    """A credit note that is asked for."""

    code: Text
    invoice: InvoiceMatch
    created_at: Time
    items: ListOf[CreditNoteItem]
    credit_amount_cents: Cents = 0
    refund_amount_cents: Cents = 0
    offset_amount_cents: Cents = 0
    reason: Text | None = None


class Payment(Row):
    """Money received for an invoice, or for a fee without one."""

    id: Text | None = None
    invoice: InvoiceMatch | None = None
    fee: FeeMatch | None = None
    amount_cents: Cents
    created_at: Time


class InvoiceVoid(Row):
    """An instruction to void an invoice, and perhaps to make it again."""

    id: Text | None = None
    invoice: InvoiceMatch
    voided_at: Time
    regenerate: Boolean = False


UsageAlertType = Literal[
    "current_usage_amount",
    "billable_metric_current_usage_amount",
    "billable_metric_current_usage_units",
    "lifetime_usage_amount",
]
WalletAlertType = Literal[
    "wallet_balance_amount",
    "wallet_credits_balance",
    "wallet_ongoing_balance_amount",
    "wallet_credits_ongoing_balance",
]


class AlertThreshold(BookModel):
    """A value that is told of when usage reaches it, or a wallet falls to it; amounts are minor units."""

    value: Quantity
    code: Text | None = None
    recurring: Boolean = False


class Alert(Row):
    """What of a subscription or a wallet is watched, and the values that are told of."""

    code: Text
    name: Text | None = None
    alert_type: UsageAlertType | WalletAlertType
    external_subscription_id: Text | None = None
    wallet_code: Text | None = None
    billable_metric_code: Text | None = None
    created_at: Time | None = None
    terminated_at: Time | None = None
    thresholds: ListOf[AlertThreshold]


class EventCorrection(Row):
    """A correction or cancellation of an event by its id."""

    id: Text | None = None
    transaction_id: Text
    external_subscription_id: Text
    action: Literal["replace", "cancel"]
    event: Object | None = None
    reason: Text | None = None
    created_at: Time


class ExpectedSource(Row):
    """A source that must have landed before a period may close; complete_by is the time granted after an interval."""

    path: Text | None = None
    relation: Text | None = None
    cadence: Literal["hourly", "daily", "weekly", "monthly"] | None = None
    complete_by: Granted | None = None


ACCOUNT_MODELS: dict[str, type[Row]] = {
    "customers": Customer,
    "subscriptions": Subscription,
    "rate_cards": RateCard,
    "applied_coupons": AppliedCoupon,
    "wallets": Wallet,
    "wallet_transactions": WalletTransaction,
    "invoices_one_off": OneOffInvoice,
    "credit_notes": CreditNote,
    "payments": Payment,
    "invoice_voids": InvoiceVoid,
    "event_corrections": EventCorrection,
    "alerts": Alert,
}
