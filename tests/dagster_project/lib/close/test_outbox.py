"""What is said of an invoice fits a webhook, however long its names are."""

from typing import Any

from dagster_project.lib.close._outbox import _fitting, _size
from dagster_project.lib.ledger._invoices import _shown_filter


def invoice(name: str, taxes: int) -> dict[str, Any]:
    return {
        "invoice_id": "i" * 32,
        "number": "ACM-0001-001-001",
        "customer": {"name": name, "address": [name, "Paris"]},
        "taxes": [{"code": f"t{number}", "amount_cents": number} for number in range(taxes)],
        "total_amount_cents": 12_345,
    }


def test_what_fits_is_said_in_full() -> None:
    data = invoice("A" * 5_000, 3)
    assert _fitting(data) == data


def test_long_texts_are_cut_and_figures_stay() -> None:
    short = _fitting(invoice("é" * 10_000, 3))
    assert short == {
        **invoice("", 3),
        "customer": {"name": "é" * 199 + "…", "address": ["é" * 199 + "…", "Paris"]},
    }
    assert _size(short) < 18_000


def test_where_that_does_not_do_lists_and_parts_are_left_to_the_document() -> None:
    assert _fitting(invoice("A", 1_000)) == {**invoice("", 0), "customer": None, "taxes": None}


def test_a_filter_shows_its_keys_in_order_and_any_value_as_null() -> None:
    stored = '{"region": ["eu, \\"west\\"", "us"], "cloud": ["__ALL_FILTER_VALUES__"]}'
    assert _shown_filter(stored) == '{"cloud":null,"region":["eu, \\"west\\"","us"]}'
