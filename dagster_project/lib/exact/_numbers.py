"""Exact numbers: fractions, the three roundings, and text."""

import math
import re
from fractions import Fraction
from typing import Any

# optional minus, digits, optional dot and digits
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_WHOLE_DIGITS, _DECIMALS = 15, 12


class UnsettledError(Exception):
    """The rules leave this open, or name it a mistake that no book should rest on."""


def half_away(number: Fraction, decimals: int = 0) -> Fraction:
    """Rounded half away from zero; negative decimals mean tens, hundreds, …"""
    scaled = abs(number) * Fraction(10) ** decimals
    rounded = math.floor(scaled + Fraction(1, 2)) / Fraction(10) ** decimals
    return rounded if number >= 0 else -rounded


def up(number: Fraction, decimals: int = 0) -> Fraction:
    """Rounded towards plus infinity."""
    return math.ceil(number * Fraction(10) ** decimals) / Fraction(10) ** decimals


def down(number: Fraction, decimals: int = 0) -> Fraction:
    """Rounded towards minus infinity."""
    return math.floor(number * Fraction(10) ** decimals) / Fraction(10) ** decimals


ROUNDINGS = {"round": half_away, "ceil": up, "floor": down}


def as_text(value: Any) -> str | None:
    """A property as text; None when it is missing. Raises UnsettledError for what JSON has no one text for."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise UnsettledError("a property that is neither text, integer nor boolean")


def numeric(text: str | None) -> Fraction | None:
    """The value of a property; None when it is not of a number's form or larger than a quantity may be."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    whole, _, decimals = text.lstrip("-").partition(".")
    if len(whole.lstrip("0")) > _WHOLE_DIGITS or len(decimals.rstrip("0")) > _DECIMALS:
        return None
    return Fraction(text)


def has_decimals(number: Fraction, most: int) -> bool:
    """Whether the number is a decimal with at most so many digits after the point."""
    return bool((number * 10**most).denominator == 1)


def decimal_text(number: Fraction) -> str:
    """The number written out. Raises UnsettledError for one that is no decimal."""
    places = next((places for places in range(80) if has_decimals(number, places)), None)
    if places is None:
        raise UnsettledError(f"{number} is not a decimal")
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if number < 0 else text
