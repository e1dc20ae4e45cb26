"""Numbers, money and times as a finance person reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import ALL_FILTER_VALUES, half_away

Number = Fraction | Decimal | int
_SHOWN_DECIMALS = 30


def text(value: Number) -> str:
    """An exact decimal, its thousands in groups, where there is one; else about what it is, with an ellipsis."""
    number = Fraction(value)
    for places in range(_SHOWN_DECIMALS):
        scaled = number * 10**places
        if scaled.denominator == 1:
            return format(Decimal(scaled.numerator).scaleb(-places), ",f")
    about = Decimal(int(half_away(number, 12) * 10**12)).scaleb(-12).normalize()
    return f"{about:,f}…"


def units_text(units: Number) -> str:
    """1 unit, 1.5 units."""
    return f"{text(units)} unit" if units == 1 else f"{text(units)} units"


def listed(names: list[str], joint: str = "or") -> str:
    """One; one or two; one, two or three."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}"


def bucket_text(filter_values: Mapping[str, Any] | None, group: Mapping[str, Any] | None, *, filtered: bool) -> str:
    """Which usage a line is for: its filter and its group."""
    parts = []
    if filter_values:
        parts += [f"{key} is {_values_text(values)}" for key, values in filter_values.items()]
    elif filtered:
        parts.append("no filter of the charge matches")
    if group:
        parts += [f"{key} is {'missing' if value is None else value}" for key, value in group.items()]
    return " and ".join(parts)


def _values_text(values: list[Any]) -> str:
    if ALL_FILTER_VALUES in values:
        return "any of the metric's listed values"
    return listed([str(value) for value in values])


@dataclass(frozen=True, slots=True)
class Money:
    """A currency and its decimals."""

    currency: str
    exponent: int

    def cents(self, minor_units: Number) -> str:
        """An amount in minor units, with all of its decimals."""
        return self.major(Fraction(minor_units) / 10**self.exponent)

    def major(self, amount: Number) -> str:
        """An amount in currency units with at least the currency's decimals."""
        digits = text(amount)
        if digits.endswith("…"):
            return f"{digits} {self.currency}"
        whole, _, decimals = digits.partition(".")
        decimals = decimals.ljust(self.exponent, "0")
        return f"{whole}.{decimals} {self.currency}" if decimals else f"{whole} {self.currency}"

    def rounded(self, exact_major: Fraction, cents: int) -> str:
        """What rounding made of an exact amount, where it made anything."""
        if exact_major * 10**self.exponent == cents:
            return self.cents(cents)
        return f"{self.major(exact_major)}, rounded to {self.cents(cents)}"


def local_text(at: datetime, zone: ZoneInfo) -> str:
    """An instant in local time."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"
