"""The rows of a book while it is read: each model with its place and its organisation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from dagster_project.lib.book._accounts import (
    ACCOUNT_MODELS,
    Alert,
    AppliedCoupon,
    CreditNote,
    Customer,
    EventCorrection,
    ExpectedSource,
    InvoiceVoid,
    OneOffInvoice,
    Payment,
    RateCard,
    Subscription,
    Wallet,
    WalletTransaction,
)
from dagster_project.lib.book._catalog import (
    CATALOG_MODELS,
    AddOn,
    BillableMetric,
    Coupon,
    Organization,
    Plan,
    PricingUnit,
    Row,
    Tax,
)
from dagster_project.lib.book._places import Place

M = TypeVar("M", bound=BaseModel)
MODELS: Mapping[str, type[Row]] = {
    **CATALOG_MODELS,
    **ACCOUNT_MODELS,
    "expected_sources": ExpectedSource,
}
"""The tables of a book, by the names that they have there."""


@dataclass(frozen=True, slots=True)
class PlanVariant:
    """What a plan becomes: after a number of periods (a phase), for one customer from a time on (a rate card)."""

    plan_code: str
    after_periods: int = 0
    external_customer_id: str | None = None
    agreed_from_at: datetime | None = None
    agreed_to_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry(Generic[M]):
    """One row: what it says, where it was written, and its number (from 1) in its table."""

    model: M
    place: Place
    position: int
    variant: PlanVariant | None = None


@dataclass(slots=True)
class Tables:
    """The rows of one organisation, by table."""

    organization: Entry[Organization]
    taxes: list[Entry[Tax]] = field(default_factory=list)
    pricing_units: list[Entry[PricingUnit]] = field(default_factory=list)
    billable_metrics: list[Entry[BillableMetric]] = field(default_factory=list)
    add_ons: list[Entry[AddOn]] = field(default_factory=list)
    plans: list[Entry[Plan]] = field(default_factory=list)
    coupons: list[Entry[Coupon]] = field(default_factory=list)
    customers: list[Entry[Customer]] = field(default_factory=list)
    subscriptions: list[Entry[Subscription]] = field(default_factory=list)
    rate_cards: list[Entry[RateCard]] = field(default_factory=list)
    applied_coupons: list[Entry[AppliedCoupon]] = field(default_factory=list)
    wallets: list[Entry[Wallet]] = field(default_factory=list)
    wallet_transactions: list[Entry[WalletTransaction]] = field(default_factory=list)
    invoices_one_off: list[Entry[OneOffInvoice]] = field(default_factory=list)
    credit_notes: list[Entry[CreditNote]] = field(default_factory=list)
    payments: list[Entry[Payment]] = field(default_factory=list)
    invoice_voids: list[Entry[InvoiceVoid]] = field(default_factory=list)
    event_corrections: list[Entry[EventCorrection]] = field(default_factory=list)
    alerts: list[Entry[Alert]] = field(default_factory=list)
    expected_sources: list[Entry[ExpectedSource]] = field(default_factory=list)

    invalid: dict[str, set[str]] = field(default_factory=dict)

    def add(self, table: str, model: BaseModel, place: Place) -> None:
        """Append a row to a table by its name in a book."""
        rows = getattr(self, table)
        rows.append(Entry(model, place, len(rows) + 1))

    def add_invalid(self, table: str, place: Place) -> None:
        """Remember the name of a refused row, so that references to it are not refused as well."""
        name = place.at("external_id").value or place.at("code").value
        if isinstance(name, str):
            self.invalid.setdefault(table, set()).add(name)
