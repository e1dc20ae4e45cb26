"""Decimals, times and the canonical form, on their own."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.lib.book._types import canonical_json, granted_seconds, parse_time, without_trailing_zeros


def utc(*parts):
    """A naive time in UTC, as the raw tables have them."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-01T00:00:00Z", utc(2024, 3, 1)),
        ("2024-03-01t00:00:00z", utc(2024, 3, 1)),
        ("2024-03-01T00:00:00+02:00", utc(2024, 2, 29, 22)),
        ("2024-02-29T23:30:00-05:30", utc(2024, 3, 1, 5)),
        # cut, never rounded
        ("2024-03-01T00:00:00.9999999Z", utc(2024, 3, 1, 0, 0, 0, 999999)),
        ("2024-03-01T00:00:00.1Z", utc(2024, 3, 1, 0, 0, 0, 100000)),
        ("2024-03-01T00:00:00", None),
        ("2024-03-01", None),
        ("2023-02-29T00:00:00Z", None),
        ("2024-03-01T24:00:00Z", None),
        ("2024-03-01T00:00:00+24:00", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("\uff12024-03-01T00:00:00Z", None),
    ],
)
def test_a_time_is_read_as_naive_utc(text, expected):
    assert parse_time(text) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_the_one_form_of_a_decimal_is_the_same_number(number):
    form = without_trailing_zeros(number)
    assert form == number
    assert not ("." in format(form, "f") and format(form, "f").endswith("0"))


def test_equal_values_have_one_canonical_text():
    one = canonical_json({"b": Decimal("20.00"), "a": [Decimal("-0.0"), None, True]})
    other = canonical_json({"a": (Decimal(0), None, True), "b": Decimal("2E+1")})
    assert one == other == '{"a":["0",null,true],"b":"20"}'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5_400),
        ("6h", 21_600),
        ("2 d", 172_800),
        ("1w", 604_800),
        ("PT6H", 21_600),
        ("P1DT30M", 88_200),
        ("06:30", 23_400),
        ("P", None),
        ("P1DT", None),
        ("24:00", None),
        ("6", None),
        ("soon", None),
        ("-6h", None),
    ],
)
def test_complete_by_grants_seconds_after_an_interval(text, seconds):
    assert granted_seconds(text) == seconds
