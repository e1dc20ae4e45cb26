"""Figures as printed, against the same figures worked out with whole numbers and fractions."""

import re
from decimal import ROUND_UP, Context, Decimal, Inexact, localcontext
from fractions import Fraction
from typing import Any

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from invoice_renderer import load_invoice, render_html
from invoice_renderer._format import Formatter

ENGLISH = Locale.parse("en")
EXACT_DECIMALS = st.decimals(min_value=-(10**22), max_value=10**22, places=15, allow_nan=False, allow_infinity=False)


def value_of(text: str) -> Fraction:
    """Read a printed figure back: digits, one point, a sign, whatever stands around them."""
    sign = -1 if "\N{MINUS SIGN}" in text else 1
    return sign * Fraction(re.sub(r"[^0-9.]", "", text))


@given(cents=st.integers(-(2**63), 2**63 - 1), exponent=st.integers(0, 4))
def test_money_is_exact_with_the_currency_s_decimals(cents: int, exponent: int):
    text = Formatter(ENGLISH, "EUR", exponent).money(cents)
    assert value_of(text) == Fraction(cents, 10**exponent)
    assert len(text.partition(".")[2]) == exponent


@given(amount=EXACT_DECIMALS, exponent=st.integers(0, 4))
def test_prices_keep_every_decimal(amount: Decimal, exponent: int):
    text = Formatter(ENGLISH, "EUR", exponent).price(amount)
    assert value_of(text) == Fraction(amount)
    decimals = text.partition(".")[2]
    assert len(decimals) >= exponent
    assert len(decimals) == exponent or not decimals.endswith("0")


@given(units=EXACT_DECIMALS)
def test_quantities_keep_every_decimal(units: Decimal):
    text = Formatter(ENGLISH, "EUR", 2).number(units)
    assert value_of(text) == Fraction(units)
    assert "." not in text or text[-1] not in "0."


@given(rate=st.decimals(min_value=0, max_value=1000, places=9))
def test_rates_are_percent(rate: Decimal):
    assert value_of(Formatter(ENGLISH, "EUR", 2).percent(rate)) == Fraction(rate)


@pytest.mark.parametrize(
    ("currency", "exponent", "cents", "printed"),
    [
        ("EUR", 2, 123456, "€1,234.56"),
        ("EUR", 2, -5, "−€0.05"),
        ("USD", 2, 100000000, "$1,000,000.00"),
        ("JPY", 0, 1234, "¥1,234"),
        ("KWD", 3, 1234, "KWD\N{NO-BREAK SPACE}1.234"),
        ("CHF", 2, -150, "−CHF\N{NO-BREAK SPACE}1.50"),
        ("CLF", 4, 12345, "CLF\N{NO-BREAK SPACE}1.2345"),
    ],
)
def test_money_by_currency(currency: str, exponent: int, cents: int, printed: str):
    assert Formatter(ENGLISH, currency, exponent).money(cents) == printed


@pytest.mark.parametrize(
    ("locale", "printed"),
    [
        ("de", "1.234,50\N{NO-BREAK SPACE}€"),
        ("fr", "1\N{NARROW NO-BREAK SPACE}234,50\N{NO-BREAK SPACE}€"),
        ("ja", "€1,234.50"),
    ],
)
def test_another_language_is_only_data(locale: str, printed: str):
    assert Formatter(Locale.parse(locale), "EUR", 2).money(123450) == printed


@pytest.mark.parametrize(
    ("price", "printed"),
    [
        ("0.000003", "€0.000003"),
        ("3E-6", "€0.000003"),
        ("1.5", "€1.50"),
        ("0", "€0.00"),
        ("1200", "€1,200.00"),
        ("1.10", "€1.10"),
    ],
)
def test_small_prices_are_not_shown_as_nothing(price: str, printed: str):
    assert Formatter(ENGLISH, "EUR", 2).price(Decimal(price)) == printed


def test_figures_do_not_depend_on_the_thread_s_decimal_context(typical: dict[str, Any]):
    typical["lines"][3]["units"] = "12345678901234567890123456789.123456789"
    expected = render_html(load_invoice(typical))
    assert "12,345,678,901,234,567,890,123,456,789.123456789" in expected
    with localcontext(Context(prec=3, rounding=ROUND_UP, traps=[Inexact])):
        assert render_html(load_invoice(typical)) == expected
