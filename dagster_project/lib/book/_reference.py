"""The closed lists that a book is checked against: currencies, countries, timezones."""

import csv
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from babel import Locale
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

_CURRENCIES = Path(__file__).parents[3] / "seeds" / "reference" / "currencies.csv"
# codes of CLDR that are unions, pseudo-locales or unknown regions, not countries
_NOT_COUNTRIES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}


@cache
def currencies() -> dict[str, int]:
    """ISO 4217 codes with their exponents (digits after the point)."""
    with _CURRENCIES.open(encoding="utf-8", newline="") as file:
        return {row["currency_code"]: int(row["exponent"]) for row in csv.DictReader(file)}


@cache
def countries() -> frozenset[str]:
    """ISO 3166 codes of two letters."""
    territories: dict[str, Any] = Locale("en").territories  # type: ignore[assignment]
    return frozenset(c for c in territories if len(c) == 2 and c.isalpha()) - _NOT_COUNTRIES


@cache
def timezones() -> frozenset[str]:
    """The zone names of the locked `tzdata` package, never those of the machine."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def vat_number_country(number: str | None) -> str | None:
    """The member state of a well-formed EU VAT number (Greece as GR), else None."""
    if number is None or not is_vat_number(number):
        return None
    prefix = str(vat.compact(number))[:2].upper()
    return "GR" if prefix == "EL" else prefix


def is_vat_number(number: str) -> bool:
    """Whether an EU VAT number is well formed and its check digits hold."""
    try:
        vat.validate(number)
    except ValidationError:
        return False
    return True
