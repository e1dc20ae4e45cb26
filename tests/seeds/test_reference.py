import csv
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

REFERENCE = Path(__file__).parents[2] / "seeds" / "reference"
UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
MEMBER_STATES = set(UNION.split())


def rows(name: str) -> list[dict[str, str]]:
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def standard_rate(country: str, day: str) -> Decimal:
    (rate,) = (
        Decimal(row["rate"])
        for row in rows("eu_vat_rates")
        if row["country_code"] == country
        and row["valid_from"] <= day
        and (not row["valid_to"] or day < row["valid_to"])
    )
    return rate


def territories(country: str, postcode: str) -> list[tuple[str, str]]:
    return [
        (row["territory_name"], row["rate"])
        for row in rows("eu_vat_territories")
        if row["country_code"] == country and re.search(row["postcode_pattern"], postcode)
    ]


def test_every_file_is_described_column_by_column() -> None:
    described = {
        seed["name"]: [column["name"] for column in seed["columns"]]
        for seed in yaml.safe_load((REFERENCE / "_seeds.yml").read_text())["seeds"]
    }
    assert described == {path.stem: list(rows(path.stem)[0]) for path in REFERENCE.glob("*.csv")}


def test_currencies_have_the_exponents_of_iso_4217() -> None:
    exponents = {row["currency_code"]: int(row["exponent"]) for row in rows("currencies")}
    without = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
    assert {code for code, exponent in exponents.items() if exponent == 0} == set(without.split())
    three = "BHD IQD JOD KWD LYD OMR TND"
    assert {code for code, exponent in exponents.items() if exponent == 3} == set(three.split())
    assert {code for code, exponent in exponents.items() if exponent == 4} == {"CLF", "UYW"}
    two = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR INR MGA MRU MXN NOK PLN SEK SLE USD ZAR"
    assert {exponents[code] for code in two.split()} == {2}
    assert set(exponents.values()) == {0, 2, 3, 4}


@pytest.mark.parametrize(("name", "key"), [("currencies", "currency_code"), ("countries", "country_code")])
def test_codes_are_well_formed_sorted_and_unique(name: str, key: str) -> None:
    codes = [row[key] for row in rows(name)]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch("[A-Z]{3}" if name == "currencies" else "[A-Z]{2}", c) for c in codes)


def test_the_union_has_27_states() -> None:
    assert {row["country_code"] for row in rows("countries") if row["is_eu"] == "true"} == (MEMBER_STATES)


def test_vat_rates_follow_each_other_without_gap_or_overlap() -> None:
    stretches = defaultdict(list)
    for row in rows("eu_vat_rates"):
        stretches[row["country_code"]].append((row["valid_from"], row["valid_to"]))
    assert set(stretches) == MEMBER_STATES
    for country, dates in stretches.items():
        starts, ends = zip(*dates, strict=True)
        assert starts[0] == "1970-01-01", country
        assert [*starts[1:], ""] == list(ends), country
        assert all(date.fromisoformat(start) for start in starts)
        assert list(starts) == sorted(set(starts)), country


@pytest.mark.parametrize(
    ("country", "day", "rate"),
    [
        ("EE", "2023-12-31", "20"),
        ("EE", "2024-01-01", "22"),
        ("EE", "2025-06-30", "22"),
        ("EE", "2025-07-01", "24"),
        ("FI", "2024-08-31", "24"),
        ("FI", "2024-09-01", "25.5"),
        ("RO", "2025-07-31", "19"),
        ("RO", "2025-08-01", "21"),
        ("SK", "2024-12-31", "20"),
        ("SK", "2025-01-01", "23"),
        ("LU", "2023-06-30", "16"),
        ("LU", "2024-01-01", "17"),
        ("DE", "2020-12-31", "16"),
        ("DE", "2021-01-01", "19"),
        ("IE", "2021-02-28", "21"),
        ("IE", "2021-03-01", "23"),
        ("FR", "2024-02-29", "20"),
        ("HU", "2026-01-01", "27"),
    ],
)
def test_vat_rates_on_the_days_around_their_changes(country: str, day: str, rate: str) -> None:
    assert standard_rate(country, day) == Decimal(rate)


@pytest.mark.parametrize(
    ("country", "postcode", "expected"),
    [
        ("ES", "35001", [("Canary Islands", "0")]),
        ("ES", "28001", []),
        ("ES", "51006", []),
        ("ES", "51071", [("Ceuta", "0")]),
        ("ES", "52081", [("Melilla", "0")]),
        ("FR", "97200", [("Martinique", "8.5")]),
        ("FR", "97300", [("French Guiana", "0")]),
        ("FR", "97500", []),
        ("PT", "9000-001", [("Madeira", "22")]),
        ("PT", "9500-321", [("Azores", "18")]),
        ("PT", "1990-096", []),
        ("AT", "6691", [("Jungholz", "19")]),
        ("AT", "6994", []),
        ("DE", "27498", [("Heligoland", "0")]),
        ("FI", "22100", [("Åland Islands", "0")]),
    ],
)
def test_territories_are_found_by_postcode(country: str, postcode: str, expected: list[tuple[str, str]]) -> None:
    assert territories(country, postcode) == expected
