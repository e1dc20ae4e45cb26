"""Invoice to what the templates print: grouped, worded and formatted, strings only."""

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from invoice_renderer._document import (
    FeeType,
    Invoice,
    InvoiceStatus,
    Line,
    Party,
    Price,
    Tier,
)
from invoice_renderer._format import Formatter
from invoice_renderer._words import Words, words_of

Key = TypeVar("Key", bound=Hashable)

# What the style sheet calls the shapes of Han letters, by the country of their reader.
_SCRIPTS = {
    "CN": "han-simplified",
    "SG": "han-simplified",
    "TW": "han-traditional",
    "HK": "han-traditional",
    "MO": "han-traditional",
    "JP": "japanese",
    "KR": "korean",
}
# What a column of the table holds in full size, in twentieths of a digit; no figure may be broken into two.
_COLUMN_WIDTH = 248
_DIGIT, _CAPITAL, _NARROW = 20, 26, 9
_REGION_BEFORE_ZIPCODE = frozenset({"AU", "CA", "IN", "NZ", "US"})


@dataclass(frozen=True, slots=True)
class Name:
    """A text in any script, with the direction that its first strong letter gives it."""

    text: str
    is_right_to_left: bool


@dataclass(frozen=True, slots=True)
class PartyView:
    """A block of address; ``script`` picks the shapes of Han letters, None where it is not said."""

    name: Name
    rows: tuple[Name, ...]
    script: str | None
    logo: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A property and its value, as on a filter or a group."""

    key: Name
    value: Name


@dataclass(frozen=True, slots=True)
class TierView:
    """One range of a graduated or volume price."""

    range: str
    flat: str | None
    units: str
    unit_price: str
    amount: str


@dataclass(frozen=True, slots=True)
class LineView:
    """One row; ``name`` is None below a heading that has said it."""

    name: Name | None
    labels: tuple[Label, ...]
    remarks: tuple[str, ...]
    units: str
    unit_price: str | None
    unit_price_remark: str
    tax_rate: str
    amount: str
    tiers: tuple[TierView, ...]


@dataclass(frozen=True, slots=True)
class ChargeView:
    """The rows of one charge; ``heading`` is None for a single row, which carries the name."""

    heading: Name | None
    total: str
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """The charges of one subscription; no heading on an invoice that knows no subscription.

    ``section`` opens the section of a customer, where an invoice bills several: the one that pays and its children.
    """

    section: Name | None
    section_amount: str | None
    heading: Name | None
    amount: str | None
    charges: tuple[ChargeView, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a figure; ``is_sum`` where a sum is drawn under the rows above."""

    label: str
    value: str
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class TaxView:
    """One row of the tax table."""

    name: Name
    rate: str
    base_amount: str
    amount: str


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """Everything that the template prints."""

    words: Words
    language: str
    direction: str
    title: str
    number: str
    document_name: str
    status: str | None
    brand: Name
    seller: PartyView
    customer: PartyView
    script: str
    facts: tuple[Row, ...]
    amount_due: str
    amount_due_remark: str
    subscriptions: tuple[SubscriptionView, ...]
    has_wide_figures: bool
    taxes: tuple[TaxView, ...]
    totals: tuple[Row, ...]
    terms: tuple[str, ...]
    notes: tuple[Name, ...]
    footer: tuple[Name, ...]
    page_of: tuple[str, ...]


def view_of(invoice: Invoice) -> InvoiceView:
    """Group, word and format an invoice.

    Raises:
        LocaleError: there are no words for its locale.
    """
    words = words_of(invoice.locale)
    return _Viewer(
        invoice=invoice,
        words=words,
        formatter=Formatter(words.locale, invoice.currency, invoice.currency_exponent),
    ).view()


@dataclass(frozen=True, slots=True)
class _Viewer:
    invoice: Invoice
    words: Words
    formatter: Formatter

    def view(self) -> InvoiceView:
        invoice, words = self.invoice, self.words
        title = words(f"title.{invoice.invoice_type}")
        seller, customer = self._party(invoice.seller), self._party(invoice.customer)
        subscriptions = tuple(self._subscriptions())
        has_status = invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOIDED)
        return InvoiceView(
            words=words,
            language=str(words.locale).replace("_", "-"),
            direction="rtl" if words.locale.text_direction == "right-to-left" else "ltr",
            title=title,
            number=invoice.number,
            document_name=words("document", title=title, number=invoice.number),
            status=words(f"status.{invoice.status}") if has_status else None,
            brand=_name(invoice.seller.name),
            seller=seller,
            customer=customer,
            script=customer.script or seller.script or "han-simplified",
            facts=tuple(self._facts()),
            amount_due=self.formatter.money(self._due_cents()),
            amount_due_remark=self._amount_due_remark(),
            subscriptions=subscriptions,
            has_wide_figures=_widest_figure(subscriptions) > _COLUMN_WIDTH,
            taxes=tuple(self._taxes()),
            totals=tuple(self._totals()),
            terms=tuple(self._terms()),
            notes=tuple(_name(note) for note in invoice.notes),
            footer=tuple(self._footer()),
            page_of=tuple(re.split(r"\{(page|pages)\}", str(words.phrases["page_of"]))),
        )

    def _party(self, party: Party) -> PartyView:
        country = party.country_code or ""
        rows = [*party.address_lines, *_place(party)]
        if country:
            rows.append(self.formatter.country(country))
        if party.email:
            rows.append(party.email)
        if party.tax_identification_number:
            rows.append(self.words("tax_identification_number", number=party.tax_identification_number))
        return PartyView(
            name=_name(party.legal_name or party.name),
            rows=tuple(_name(row) for row in rows),
            script=_SCRIPTS.get(country),
            logo=party.logo,
        )

    def _facts(self) -> Iterable[Row]:
        invoice, words, formatter = self.invoice, self.words, self.formatter
        yield Row(words("issuing_date"), formatter.day(invoice.issuing_date))
        yield Row(words("payment_due_date"), formatter.day(invoice.payment_due_date))
        if invoice.period:
            days = formatter.period(invoice.period.from_date, invoice.period.to_date)
            yield Row(words("period"), days)
        if invoice.purchase_order_number:
            yield Row(words("purchase_order_number"), invoice.purchase_order_number)

    def _due_cents(self) -> int:
        """What is asked for: nothing of an invoice that is void."""
        return 0 if self.invoice.status == InvoiceStatus.VOIDED else self.invoice.totals.total_amount_cents

    def _amount_due_remark(self) -> str:
        if self._due_cents() <= 0:
            return self.words("nothing_due")
        return self.words("amount_due_by", date=self.formatter.day(self.invoice.payment_due_date))

    def _subscriptions(self) -> Iterable[SubscriptionView]:
        sections = dict(_grouped(self.invoice.lines, lambda line: (line.customer_id, line.customer_name)))
        has_sections = any(customer_id is not None for customer_id, _ in sections)
        section = None
        groups = _grouped(
            self.invoice.lines,
            lambda line: (line.customer_id, line.customer_name, line.subscription_id, line.subscription_name),
        )
        for (customer_id, customer_name, subscription_id, subscription_name), lines in groups:
            opens = has_sections and (customer_id, customer_name) != section
            section = (customer_id, customer_name)
            payer = self.invoice.customer.legal_name or self.invoice.customer.name
            heading = subscription_name or subscription_id
            if heading is None and len(groups) > 1:
                heading = self.words("other_charges")
            yield SubscriptionView(
                section=_name(customer_name or customer_id or payer) if opens else None,
                section_amount=self._sum_of(sections[section]) if opens else None,
                heading=_name(heading) if heading else None,
                amount=self._sum_of(lines) if len(groups) > 1 else None,
                charges=tuple(
                    self._charge(charge_lines)
                    for _, charge_lines in _grouped(lines, lambda line: (line.fee_type, line.code, line.name))
                ),
            )

    def _charge(self, lines: Sequence[Line]) -> ChargeView:
        has_filters = any(line.filter for line in lines)
        if len(lines) == 1:
            line = self._line(lines[0], has_filters=has_filters, is_under_heading=False)
            return ChargeView(heading=None, total=line.amount, lines=(line,))
        return ChargeView(
            heading=_name(lines[0].name),
            total=self.words("charge_total", amount=self._sum_of(lines)),
            lines=tuple(self._line(line, has_filters=has_filters, is_under_heading=True) for line in lines),
        )

    def _line(self, line: Line, *, has_filters: bool, is_under_heading: bool) -> LineView:
        labels = tuple(self._labels(line))
        remarks = tuple(self._remarks(line, has_filters=has_filters))
        price, formatter = line.unit_amount, self._prices_of(line)
        needs_name = not is_under_heading or not (labels or remarks)
        return LineView(
            name=_name(line.name) if needs_name else None,
            labels=labels,
            remarks=remarks,
            units=formatter.number(line.units),
            unit_price=None if price is None else formatter.price(price),
            unit_price_remark=self._price(line),
            tax_rate=formatter.percent(line.tax_rate),
            amount=formatter.money(line.amount_cents),
            tiers=tuple(self._tier(tier, formatter) for tier in line.tiers),
        )

    def _prices_of(self, line: Line) -> Formatter:
        """What writes the prices of a line: in the currency, or in the unit that it is priced in."""
        return (
            self.formatter
            if line.pricing_unit is None
            else replace(self.formatter, pricing_unit=line.pricing_unit.name)
        )

    def _price(self, line: Line) -> str:
        price, formatter = line.price, self._prices_of(line)
        if price is not None and price.rate is not None:
            return formatter.percent(price.rate)
        if price is not None and price.package_size is not None and price.package_amount is not None:
            size = formatter.number(price.package_size)
            return self.words("package_price", amount=formatter.price(price.package_amount), size=size)
        return self.words("tiered") if line.tiers else "–"

    def _price_remarks(self, price: Price, formatter: Formatter) -> Iterable[str]:
        words = self.words
        if price.fixed_amount:
            yield words("fixed_per_event", amount=formatter.price(price.fixed_amount))
        if price.event_min_amount is not None:
            yield words("event_minimum", amount=formatter.price(price.event_min_amount))
        if price.event_max_amount is not None:
            yield words("event_maximum", amount=formatter.price(price.event_max_amount))
        if price.free_units:
            yield words("free_units", count=formatter.number(price.free_units))
        if price.free_events:
            yield words.counted("free_events", price.free_events, count=formatter.number(price.free_events))

    def _labels(self, line: Line) -> Iterable[Label]:
        for key, values in sorted((line.filter or {}).items()):
            text = ", ".join(values) if values is not None else self.words("any_value")
            yield Label(_name(key), _name(text))
        for key, value in sorted((line.group or {}).items()):
            yield Label(_name(key), _name(self.words("no_value") if value is None else value))

    def _remarks(self, line: Line, *, has_filters: bool) -> Iterable[str]:
        if has_filters and not line.filter:
            yield self.words("default_bucket")
        if line.fee_type in (FeeType.COMMITMENT, FeeType.TRUE_UP, FeeType.ADJUSTMENT):
            yield self.words(f"fee_type.{line.fee_type}")
        if line.from_date and line.to_date and not self._is_invoice_period(line):
            yield self.formatter.period(line.from_date, line.to_date)
        if line.events_count is not None and line.events_count != line.units:
            count = self.formatter.number(line.events_count)
            yield self.words.counted("events", line.events_count, count=count)
        if line.price is not None:
            yield from self._price_remarks(line.price, self._prices_of(line))
        if line.pricing_unit is not None:
            worth = self.formatter.price(line.pricing_unit.conversion_rate)
            yield self.words("pricing_unit", unit=line.pricing_unit.name, amount=worth)

    def _is_invoice_period(self, line: Line) -> bool:
        period = self.invoice.period
        return period is not None and (line.from_date, line.to_date) == (
            period.from_date,
            period.to_date,
        )

    def _tier(self, tier: Tier, formatter: Formatter) -> TierView:
        words = self.words
        from_value = formatter.number(tier.from_value)
        if tier.to_value is None:
            span = words("tier_above", from_value=from_value)
        else:
            span = words(
                "tier_range",
                from_value=from_value,
                to_value=formatter.number(tier.to_value),
            )
        flat = formatter.price(tier.flat_amount) if tier.flat_amount else None
        price = "–" if tier.per_unit_amount is None else formatter.price(tier.per_unit_amount)
        if tier.rate is not None:
            price = formatter.percent(tier.rate)
        return TierView(
            range=span,
            flat=words("tier_flat", amount=flat) if flat else None,
            units=formatter.number(tier.units),
            unit_price=price,
            amount=formatter.subtotal(tier.amount),
        )

    def _taxes(self) -> Iterable[TaxView]:
        formatter = self.formatter
        for tax in self.invoice.tax_lines:
            yield TaxView(
                name=_name(tax.name),
                rate=formatter.percent(tax.rate),
                base_amount=formatter.money(tax.base_amount_cents),
                amount=formatter.money(tax.amount_cents),
            )
        if rounding := self.invoice.totals.tax_rounding_amount_cents:
            yield TaxView(
                name=_name(self.words("tax_rounding")),
                rate="",
                base_amount="",
                amount=formatter.money(rounding),
            )

    def _totals(self) -> Iterable[Row]:
        totals, words, money = self.invoice.totals, self.words, self.formatter.money

        def row(name: str, amount_cents: int, *, is_sum: bool = False) -> Row:
            return Row(words(name), money(amount_cents), is_sum)

        deductions = (
            (
                "progressive_billing_credit_amount",
                totals.progressive_billing_credit_amount_cents,
            ),
            ("coupons_amount", totals.coupons_amount_cents),
        )
        if any(amount for _, amount in deductions):
            yield row("fees_amount", totals.fees_amount_cents)
            yield from (row(name, -amount) for name, amount in deductions if amount)
        yield row(
            "sub_total_excluding_taxes_amount",
            totals.sub_total_excluding_taxes_amount_cents,
        )
        yield row("taxes_amount", totals.taxes_amount_cents)
        yield row(
            "sub_total_including_taxes_amount",
            totals.sub_total_including_taxes_amount_cents,
            is_sum=True,
        )
        settlements = (
            ("credit_notes_amount", totals.credit_notes_amount_cents),
            ("prepaid_credit_amount", totals.prepaid_credit_amount_cents),
        )
        yield from (row(name, -amount) for name, amount in settlements if amount)

    def _terms(self) -> Iterable[str]:
        due = self.formatter.day(self.invoice.payment_due_date)
        days = self.invoice.net_payment_term
        if self._due_cents() <= 0:
            yield self.words("payment_terms_nothing_due")
        elif days:
            count = self.formatter.number(days)
            yield self.words.counted("payment_terms_net", days, count=count, date=due)
        else:
            yield self.words("payment_terms_immediate", date=due)
        yield self.words("all_amounts_in", currency=self.invoice.currency)

    def _footer(self) -> Iterable[Name]:
        seller = self.invoice.seller
        yield _name(seller.legal_name or seller.name)
        address = ", ".join((*seller.address_lines, *_place(seller)))
        if address:
            yield _name(address)
        if seller.tax_identification_number:
            yield _name(self.words("tax_identification_number", number=seller.tax_identification_number))

    def _sum_of(self, lines: Iterable[Line]) -> str:
        return self.formatter.money(sum(line.amount_cents for line in lines))


def _widest_figure(subscriptions: Iterable[SubscriptionView]) -> int:
    return max(
        (
            sum(map(_width, figure))
            for subscription in subscriptions
            for charge in subscription.charges
            for line in charge.lines
            for figure in (line.units, line.unit_price or "", line.amount)
        ),
        default=0,
    )


def _width(character: str) -> int:
    """About how wide a character of a figure is, in twentieths of a digit."""
    if character.isupper():
        return _CAPITAL
    return _NARROW if character in ".,’'" or character.isspace() else _DIGIT


def _grouped(lines: Iterable[Line], key: Callable[[Line], Key]) -> list[tuple[Key, list[Line]]]:
    """Group lines that share a key, in the order in which the keys come first."""
    groups: dict[Key, list[Line]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return list(groups.items())


def _place(party: Party) -> Iterable[str]:
    """Write town, region and zipcode in the order of the country."""
    city, state, zipcode = party.city, party.state, party.zipcode
    if party.country_code in _REGION_BEFORE_ZIPCODE:
        region = " ".join(part for part in (state, zipcode) if part)
        rows: tuple[str, ...] = (", ".join(part for part in (city, region) if part),)
    else:
        rows = (" ".join(part for part in (zipcode, city) if part), state or "")
    return (row for row in rows if row)


def _name(text: str) -> Name:
    """Leave out control characters, which no font has, and find the direction of the rest."""
    printed = "".join(character for character in text if character == "\n" or unicodedata.category(character) != "Cc")
    directions = map(unicodedata.bidirectional, printed)
    first_strong = next((found for found in directions if found in ("L", "R", "AL")), "L")
    return Name(printed, is_right_to_left=first_strong != "L")
