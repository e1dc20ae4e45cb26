"""Numbers, money, dates and countries as a language writes them."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import cast

from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import NumberPattern, get_currency_symbol

# Babel rounds in the thread's decimal context: 28 digits are not enough for decimal(38,15).
_EXACT = Context(prec=200)
_SUBTOTAL_DECIMALS = 6
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def fraction_digits(value: Decimal) -> int:
    """Count the decimals that a number needs, trailing zeros not counted."""
    _, digits, exponent = value.as_tuple()
    decimals = -cast(int, exponent)
    for digit in reversed(digits):
        if decimals <= 0 or digit:
            break
        decimals -= 1
    return max(decimals, 0) if any(digits) else 0


def major_units(amount_cents: int, exponent: int) -> Decimal:
    """Give an amount in minor units as an exact number of major units."""
    sign = int(amount_cents < 0)
    digits = tuple(int(digit) for digit in str(abs(amount_cents)))
    return Decimal((sign, digits, -exponent))


@dataclass(frozen=True, slots=True)
class Formatter:
    """Writes the figures of one invoice in one language and one currency; prices in a ``pricing_unit``, where one is given."""

    locale: Locale
    currency: str
    currency_exponent: int
    pricing_unit: str | None = None

    def money(self, amount_cents: int) -> str:
        """Write an amount in minor units with exactly the currency's decimals."""
        return self._currency(major_units(amount_cents, self.currency_exponent), 0)

    def price(self, amount: Decimal) -> str:
        """Write an exact amount in major units with all its decimals, the currency's at least."""
        if self.pricing_unit is not None:
            return f"{self.number(amount)}\N{NO-BREAK SPACE}{self.pricing_unit}"
        return self._currency(amount, fraction_digits(amount))

    def subtotal(self, amount: Decimal) -> str:
        """Write an exact amount in major units that is part of a line, to six decimals, half away from zero."""
        most = max(self.currency_exponent, _SUBTOTAL_DECIMALS)
        with localcontext(_EXACT):
            shown = amount.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
        return self.price(shown)

    def number(self, value: Decimal | int) -> str:
        """Write a quantity with all its decimals."""
        exact = Decimal(value)
        return self._apply(self.locale.decimal_formats[None], exact, 0, fraction_digits(exact))

    def percent(self, rate: Decimal) -> str:
        """Write a rate that is given in percent: 20 is 20%."""
        with localcontext(_EXACT):
            fraction = rate / 100
        return self._apply(
            self.locale.percent_formats[None],
            fraction,
            0,
            max(fraction_digits(fraction) - 2, 0),
        )

    def day(self, day: date) -> str:
        """Write a date in the language's medium form."""
        return format_date(day, format="medium", locale=self.locale)

    def period(self, from_date: date, to_date: date) -> str:
        """Write days from and to, what they share only once."""
        return format_interval(from_date, to_date, "yMMMd", locale=self.locale)

    def country(self, country_code: str) -> str:
        """Name a country; a code that the language has no name for stays as it is."""
        return str(self.locale.territories.get(country_code, country_code))

    def _currency(self, amount: Decimal, decimals: int) -> str:
        return self._apply(
            _with_spaced_symbol(
                self.locale.currency_formats["standard"],
                get_currency_symbol(self.currency, locale=self.locale),
            ),
            amount,
            self.currency_exponent,
            max(self.currency_exponent, decimals),
        )

    def _apply(self, pattern: NumberPattern, value: Decimal, least: int, most: int) -> str:
        exact_pattern = copy.copy(pattern)
        exact_pattern.frac_prec = (least, most)
        with localcontext(_EXACT):
            text: str = exact_pattern.apply(value, self.locale, currency=self.currency, currency_digits=False)
        return text.replace("-", _MINUS)


def _with_spaced_symbol(pattern: NumberPattern, symbol: str) -> NumberPattern:
    """Part a symbol that is made of letters from the digits, as CLDR asks and Babel does not."""
    spaced = copy.copy(pattern)
    if symbol[-1:].isalpha():
        spaced.prefix = _each(pattern.prefix, lambda text: re.sub(r"¤$", f"¤{_SPACE}", text))
    if symbol[:1].isalpha():
        spaced.suffix = _each(pattern.suffix, lambda text: re.sub(r"^¤", f"{_SPACE}¤", text))
    return spaced


def _each(texts: tuple[str, str], change: Callable[[str], str]) -> tuple[str, str]:
    return change(texts[0]), change(texts[1])
