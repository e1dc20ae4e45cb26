"""A case's own keys, and what it must give under `expect` (docs/book.md); only the form is checked."""

from typing import Literal

from pydantic import Field

from dagster_project.lib.book._accounts import FeeType, InvoiceMatch, InvoiceType
from dagster_project.lib.book._types import (
    AwareTime,
    BookModel,
    Boolean,
    Count,
    Date,
    Figure,
    ListOf,
    MappingOf,
    Remark,
    SignedCents,
    Text,
)


class ExpectedFee(BookModel):
    """A fee that must exist; from and to are inclusive local dates."""

    type: FeeType | None = None
    code: Text | None = None
    filter: MappingOf[ListOf[Text]] | None = None
    group: MappingOf[str | None] | None = None
    from_: Date | None = Field(default=None, alias="from")
    to: Date | None = None
    units: Figure | None = None
    events_count: Count | None = None
    amount_cents: SignedCents | None = None
    precise_amount_cents: Figure | None = None


class ExpectedInvoice(BookModel):
    """An invoice that must exist, with some of its figures in cents."""

    match: InvoiceMatch
    invoice_type: InvoiceType | None = None
    status: Literal["draft", "finalized", "voided", "closed"] | None = None
    number: Text | None = None
    payment_due_date: Date | None = None
    fees: ListOf[ExpectedFee] | None = None
    fees_exact: Boolean | None = None
    fees_amount_cents: SignedCents | None = None
    progressive_billing_credit_amount_cents: SignedCents | None = None
    coupons_amount_cents: SignedCents | None = None
    sub_total_excluding_taxes_amount_cents: SignedCents | None = None
    taxes_amount_cents: SignedCents | None = None
    sub_total_including_taxes_amount_cents: SignedCents | None = None
    credit_notes_amount_cents: SignedCents | None = None
    prepaid_credit_amount_cents: SignedCents | None = None
    total_amount_cents: SignedCents | None = None


class ExpectedCreditNote(BookModel):
    """A credit note that must exist, with some of its figures in cents."""

    match: InvoiceMatch
    credit_amount_cents: SignedCents | None = None
    refund_amount_cents: SignedCents | None = None
    taxes_amount_cents: SignedCents | None = None
    total_amount_cents: SignedCents | None = None
    balance_amount_cents: SignedCents | None = None


class ExpectedWallet(BookModel):
    """A wallet's balance in cents and its credits."""

    code: Text
    balance_cents: SignedCents | None = None
    credits_balance: Figure | None = None
    consumed_credits: Figure | None = None


class ExpectedUsage(BookModel):
    """The running period's usage; filter and group both null: the whole charge."""

    subscription: Text
    charge: Text
    filter: MappingOf[ListOf[Text]] | None = None
    group: MappingOf[str | None] | None = None
    units: Figure | None = None
    events_count: Count | None = None
    amount_cents: SignedCents | None = None


class Expectations(BookModel):
    """What is asserted of a case; keys that are absent are not."""

    invoices: ListOf[ExpectedInvoice] = ()
    invoice_count: Count | None = None
    credit_notes: ListOf[ExpectedCreditNote] = ()
    wallets: ListOf[ExpectedWallet] = ()
    usage: ListOf[ExpectedUsage] = ()


class CaseKeys(BookModel):
    """The top-level keys of a case but for `given`, which is read as a book."""

    case: Text
    about: Remark | None = None
    source: Remark | None = None
    features: ListOf[Text] = ()
    as_of: AwareTime
    expect: Expectations = Expectations()
