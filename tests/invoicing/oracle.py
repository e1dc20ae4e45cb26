"""From fees to the total by exact fractions, one customer and one step at a time: what settlement must give.

Written from the rules alone (docs/billing-rules.md, Invoice and From fees to the total). Amounts are minor units; shares
have five decimals where the text says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor


def half_away(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    whole = floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def round5(value: Fraction) -> Fraction:
    """Five decimals, halves away from zero."""
    return Fraction(half_away(value * 100000), 100000)


@dataclass
class Fee:
    """A line of an invoice with the shares that it takes."""

    kind: str
    code: str
    metric: str | None
    plan: str | None
    amount: int
    precise: Fraction
    rate: Fraction
    share: Fraction = Fraction(0)
    note_share: Fraction = Fraction(0)
    tax: int = 0
    credited: Fraction = Fraction(0)

    @property
    def left(self) -> Fraction:
        """What is taxed."""
        return self.amount - self.share

    @property
    def exact_tax(self) -> Fraction:
        """The tax before rounding, of the exact amount."""
        return (self.precise - self.share) * self.rate / 100


@dataclass
class Coupon:
    """An attached coupon."""

    place: tuple
    kind: str
    amount: int
    rate: Fraction
    frequency: str
    periods: int
    metrics: frozenset[str]
    plans: frozenset[str]
    created_at: datetime
    terminated_at: datetime | None

    def __post_init__(self) -> None:
        """The rest of a fixed coupon, and the periods of others."""
        self.rest = self.amount
        self.periods_left = {"once": 1, "recurring": self.periods}.get(self.frequency)

    @property
    def is_live(self) -> bool:
        """Whether it can still be used."""
        if self.kind == "fixed_amount" and self.frequency == "once":
            return self.rest > 0
        return self.periods_left is None or self.periods_left > 0

    def concerns(self, fee: Fee) -> bool:
        """Whether the fee is among those that it reduces."""
        if not self.metrics and not self.plans:
            return True
        return (fee.metric in self.metrics) or (fee.plan in self.plans)


@dataclass
class Note:
    """A credit note."""

    code: str
    invoice: "Invoice"
    credit: int
    refund: int
    tax: int
    exact_tax: Fraction
    total: int
    balance: int


@dataclass
class Wallet:
    """A wallet and what it holds, in money and in credits."""

    code: str
    place: tuple
    rate: Fraction
    fee_types: frozenset[str]
    metrics: frozenset[str]
    ended_at: datetime | None
    balance: int = 0
    credits: Fraction = Fraction(0)
    consumed: Fraction = Fraction(0)
    pending: Fraction = Fraction(0)
    topped_up_at: datetime | None = None
    is_ended: bool = False

    def value(self, credits: Fraction) -> int:
        """Credits as money; they are cut to five decimals first."""
        return half_away(Fraction(floor(credits * 100000), 100000) * self.rate * 100)

    def add(self, credits: Fraction) -> None:
        """Credits that come in are whole cents, turned back into credits."""
        money = self.value(credits)
        self.balance += money
        self.credits += round5(Fraction(money, 100) / self.rate)

    def void(self, credits: Fraction) -> None:
        """Credits that are taken back: their money and they themselves."""
        if self.balance or self.credits:
            money = min(self.balance, self.value(credits))
            taken = min(self.credits, Fraction(floor(credits * 100000), 100000))
            self.balance -= money
            self.credits -= taken
            self.consumed += taken

    def opens(self, kind: str, metric: str) -> bool:
        """Whether it may pay the fees of a bucket."""
        return (not self.fee_types and not self.metrics) or kind in self.fee_types or metric in self.metrics


@dataclass
class Invoice:
    """An invoice and its totals."""

    issued_at: datetime
    kind: str
    fees: list[Fee]
    # the newest threshold invoice of each subscription's period, with the lines of that subscription
    links: list[tuple["Invoice", list[Fee]]] = field(default_factory=list)
    progressive: int = 0
    given: int = 0
    coupons: int = 0
    taxes: int = 0
    credit_notes: int = 0
    prepaid: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def fees_amount(self) -> int:
        """All lines."""
        return sum(fee.amount for fee in self.fees)

    @property
    def subtotal(self) -> int:
        """Fees less what was charged progressively and coupons."""
        return self.fees_amount - self.progressive - self.coupons

    @property
    def total(self) -> int:
        """What the customer is asked to pay."""
        return self.subtotal + self.taxes - self.credit_notes - self.prepaid


@dataclass
class Customer:
    """One customer's balances, settled step by step."""

    coupons: list[Coupon] = field(default_factory=list)
    wallets: list[Wallet] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)

    def settle(self, invoice: Invoice) -> None:
        """Progressive credit, coupons, taxes, credit notes, wallets."""
        self.invoices.append(invoice)
        discountable = invoice.kind in ("subscription", "progressive_billing")
        for charged, fees in invoice.links:
            self._credit_progressive(invoice, charged, fees)
        if discountable and invoice.fees_amount > 0:
            self._use_coupons(invoice)
        for fee in invoice.fees:
            fee.tax = half_away(fee.left * fee.rate / 100)
        invoice.taxes = half_away(sum((fee.left * fee.rate / 100 for fee in invoice.fees), Fraction(0)))
        if discountable:
            self._use_notes(invoice)
            self._use_wallets(invoice)

    def _credit_progressive(self, invoice: Invoice, charged: Invoice, fees: list[Fee]) -> None:
        """What a threshold invoice charged, up to the lines of its charges; the excess is a note on it."""
        noted = sum(note.credit for note in charged.notes)
        open_amount = max(0, charged.fees_amount - charged.coupons - charged.given - noted)
        own = {fee.code: fee for fee in fees}
        limit = sum(own[fee.code].amount for fee in charged.fees if fee.code in own)
        credit = min(open_amount, limit)
        if open_amount > credit:
            self._credit_excess(charged, open_amount - credit)
        invoice.progressive += credit
        charged.given += credit
        for fee in charged.fees:
            if fee.code in own:
                line = own[fee.code]
                line.share = min(line.share + fee.amount, Fraction(line.amount))

    def _credit_excess(self, charged: Invoice, excess: int) -> None:
        items = []
        for fee in sorted(charged.fees, key=lambda fee: (-fee.amount, fee.share)):
            amount = min(Fraction(excess), fee.amount - fee.credited)
            if amount > 0:
                items.append((fee, amount))
                excess -= amount
        if items:
            net, tax, *_ = self.estimate(charged, items)
            if net + tax > 0:
                self.credit(f"excess {len(self.notes)}", charged, items, (net + tax, 0))

    def _use_coupons(self, invoice: Invoice) -> None:
        for coupon in sorted(self.coupons, key=lambda coupon: coupon.place):
            subtotal = invoice.subtotal
            if subtotal <= 0:
                return
            started = coupon.created_at <= invoice.issued_at
            ended = coupon.terminated_at is not None and coupon.terminated_at <= invoice.issued_at
            concerned = [fee for fee in invoice.fees if coupon.concerns(fee)]
            if not started or ended or not coupon.is_live or not concerned:
                continue
            limited = bool(coupon.metrics or coupon.plans)
            base = sum((fee.left for fee in concerned), Fraction(0)) if limited else Fraction(subtotal)
            if coupon.kind == "percentage":
                wanted: Fraction | int = half_away(base * coupon.rate / 100)
            else:
                wanted = coupon.rest if coupon.frequency == "once" else coupon.amount
            credit = floor(min(base, wanted, subtotal))
            if credit <= 0:
                continue
            weights = [fee.left for fee in concerned]
            for fee, weight in zip(concerned, weights, strict=True):
                fee.share = min(round5(fee.share + credit * weight / base), Fraction(fee.amount))
            invoice.coupons += credit
            if coupon.kind == "fixed_amount" and coupon.frequency == "once":
                coupon.rest -= credit
            elif coupon.periods_left is not None:
                coupon.periods_left -= 1

    def _use_notes(self, invoice: Invoice) -> None:
        for note in self.notes:
            rest = invoice.total
            if rest <= 0:
                return
            if note.balance == 0 or note.invoice is invoice:
                continue
            used = min(note.balance, rest)
            for fee in invoice.fees:
                whole = fee.left + fee.tax
                fee.note_share = min(round5(fee.note_share + used * (whole - fee.note_share) / rest), whole)
            note.balance -= used
            invoice.credit_notes += used

    def _use_wallets(self, invoice: Invoice) -> None:
        total = invoice.total
        sizes: dict[tuple[str, str], Fraction] = {}
        for fee in invoice.fees:
            cap = fee.left + fee.exact_tax - fee.note_share
            if fee.left != 0 and cap > 0:
                key = (fee.kind, fee.metric or "")
                sizes[key] = sizes.get(key, Fraction(0)) + cap
        buckets = sorted(sizes, key=lambda key: (-sizes[key], key))
        gap = total - sum(sizes.values())
        if buckets and 0 < gap <= len(buckets):
            sizes[buckets[0]] += gap
        left = Fraction(total)
        for wallet in sorted(self.wallets, key=lambda wallet: wallet.place):
            if wallet.balance <= 0 or wallet.is_ended or invoice.total <= 0 or left <= 0:
                continue
            used = Fraction(0)
            for key in buckets:
                if wallet.opens(*key):
                    taken = min(sizes[key], wallet.balance - used, left)
                    sizes[key] -= taken
                    left -= taken
                    used += taken
            money = min(half_away(used), invoice.total)
            if money > 0:
                wallet.balance -= money
                credits = round5(Fraction(money, 100) / wallet.rate)
                wallet.credits -= credits
                wallet.consumed += credits
                invoice.prepaid += money

    def estimate(self, invoice: Invoice, items: Iterable[tuple[Fee, Fraction | int]]) -> tuple[int, int, Fraction, int]:
        """Rounded net, tax, exact tax and exact total of a note about items."""
        items = list(items)
        shares = [fee.share * amount / fee.amount for fee, amount in items]
        coupon = round5(sum(shares, Fraction(0)))
        exact_tax = round5(
            sum(
                ((amount - share) * fee.rate / 100 for (fee, amount), share in zip(items, shares, strict=True)),
                Fraction(0),
            )
        )
        amounts = sum(amount for _, amount in items)
        if sum(fee.amount - fee.credited for fee in invoice.fees) == amounts:
            exact_tax -= sum((note.tax - note.exact_tax for note in invoice.notes), Fraction(0))
        return (
            half_away(amounts - coupon),
            half_away(exact_tax),
            exact_tax,
            half_away(amounts - coupon + exact_tax),
        )

    def credit(
        self, code: str, invoice: Invoice, items: Sequence[tuple[Fee, Fraction | int]], asked: tuple[int, int]
    ) -> Note:
        """A note by hand: credit and refund as asked, moved by a cent where parts and total differ."""
        net, tax, exact_tax, _ = self.estimate(invoice, items)
        credit, refund = asked
        total = credit + refund
        if total - tax > net:
            total -= 1
        elif total - tax < net:
            total += 1
        if credit > 0:
            credit = total - refund
        else:
            refund = total
        for fee, amount in items:
            fee.credited += amount
        note = Note(code, invoice, credit, refund, tax, exact_tax, total, credit)
        invoice.notes.append(note)
        self.notes.append(note)
        return note

    def credit_of_draft(self, code: str, final_at: datetime, items: list[tuple[Fee, int, int]]) -> None:
        """A note that was asked for on a draft: (line, its amount then, asked of it); none when nothing is left."""
        invoice = next(invoice for invoice in self.invoices if invoice.issued_at == final_at)
        rescaled = [(fee, round5(Fraction(asked * fee.amount, then))) for fee, then, asked in items if fee.amount > 0]
        net, tax, _, exact = self.estimate(invoice, rescaled)
        if net + tax > 0:
            self.credit(code, invoice, rescaled, (exact, 0))


def thresholds_reached(
    fixed: Sequence[int], recurring: int | None, *, invoiced: int, billed: int, current: int
) -> bool:
    """Whether usage of `current` reaches a threshold; `billed` of it is on the period's last invoice of its kind.

    `invoiced` are the charges of the periods before.
    """
    invoiced += billed
    new = current - billed
    if new < 0:
        return False
    total = invoiced + new
    largest = max(fixed, default=0)
    if invoiced < largest:
        return any(invoiced < amount <= total for amount in fixed) or (
            recurring is not None and total - largest >= recurring
        )
    return recurring is not None and new + invoiced % recurring >= recurring
