import copy
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from invoice_renderer import (
    InvoiceDataError,
    InvoiceTotalsError,
    load_invoice,
    logo_data_uri,
    render_json,
    to_mapping,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def test_reads_and_gives_back_the_same(typical: dict[str, Any], arabic_to_chinese: dict[str, Any]):
    for data in (typical, arabic_to_chinese):
        invoice = load_invoice(data)
        assert load_invoice(to_mapping(invoice)) == invoice
        assert load_invoice(json.loads(render_json(invoice))) == invoice


def test_mapping_holds_every_given_value(typical: dict[str, Any]):
    mapping = to_mapping(load_invoice(typical))

    def covers(given: Any, got: Any) -> bool:
        if isinstance(given, dict):
            return all(covers(value, got[key]) for key, value in given.items())
        if isinstance(given, list):
            return len(given) == len(got) and all(map(covers, given, got))
        return bool(given == got)

    assert covers(typical, mapping)


def test_takes_python_values_for_exact_numbers_dates_and_logos(typical: dict[str, Any]):
    as_text = load_invoice(typical)
    typical["issuing_date"] = date(2026, 11, 1)
    typical["lines"][0]["units"] = Decimal("1.000")
    typical["seller"] = {**typical["seller"], "logo": PNG}
    invoice = load_invoice(typical)
    assert (invoice.issuing_date, invoice.lines) == (as_text.issuing_date, as_text.lines)
    assert invoice.seller.logo == logo_data_uri(PNG)


def test_equal_invoices_have_equal_json(typical: dict[str, Any]):
    respelt = copy.deepcopy(typical)
    respelt["lines"][1]["tiers"][0]["per_unit_amount"] = "3.00E-6"
    respelt["lines"][2]["filter"] = dict(reversed(respelt["lines"][2]["filter"].items()))
    assert load_invoice(respelt) == load_invoice(typical)
    assert render_json(load_invoice(respelt)) == render_json(load_invoice(typical))


def test_json_has_a_later_field_only_where_it_says_something(typical: dict[str, Any]):
    """Documents that were issued before a field existed come out again to the byte."""
    typical["lines"][0]["pricing_unit"] = {"name": "Token", "conversion_rate": "2.5"}
    lines = json.loads(render_json(load_invoice(typical)))["lines"]
    assert lines[0]["pricing_unit"] == {"name": "Token", "conversion_rate": "2.5"}
    assert not any("pricing_unit" in line for line in lines[1:])


def test_json_is_canonical(typical: dict[str, Any]):
    text = render_json(load_invoice(typical)).decode()
    assert text.endswith("}\n")
    assert "Société Générale" in text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert '"per_unit_amount": "0.0000025"' in text


def test_keeps_more_digits_than_the_decimal_context(make_invoice, make_line):
    units = "12345678901234567890123456789.123456789"
    line = load_invoice(make_invoice([make_line(units=units)])).lines[0]
    assert line.units == Decimal(units)
    assert to_mapping(load_invoice(make_invoice([make_line(units=units)])))["lines"][0]["units"] == (units)


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({"fees_amount_cents": 338952}, "fees_amount_cents is 338,952 but the sum of its lines"),
        ({"coupons_amount_cents": 20001}, "268,951 but fees less progressive billing credit"),
        ({"taxes_amount_cents": 51944}, "sub_total_including_taxes_amount_cents is 320,894 but"),
        ({"credit_notes_amount_cents": 0}, "total_amount_cents is 278,894 but"),
        ({"tax_rounding_amount_cents": 1}, "taxes_amount_cents is 51,943 but the sum of its tax"),
    ],
)
def test_totals_that_do_not_add_up(typical: dict[str, Any], change: dict[str, int], figures: str):
    typical["totals"].update(change)
    with pytest.raises(InvoiceTotalsError, match="invoice NOR-2026-0042 does not add up") as error:
        load_invoice(typical)
    assert figures in str(error.value)
    assert "EUR" in str(error.value)


def test_tax_rounding_is_what_the_tax_lines_leave(typical: dict[str, Any]):
    typical["tax_lines"][0]["amount_cents"] -= 2
    assert load_invoice(typical).totals.tax_rounding_amount_cents == 2


def _without_number(data: dict[str, Any]) -> None:
    del data["number"]


def _misspelt(data: dict[str, Any]) -> None:
    data["purchase_order"] = "4500"


def _fraction(data: dict[str, Any]) -> None:
    data["lines"][1]["units"] = 0.1


def _text_for_cents(data: dict[str, Any]) -> None:
    data["lines"][1]["amount_cents"] = "100"


def _flag_for_cents(data: dict[str, Any]) -> None:
    data["lines"][1]["amount_cents"] = True


def _not_a_number(data: dict[str, Any]) -> None:
    data["lines"][1]["units"] = "NaN"


def _infinite(data: dict[str, Any]) -> None:
    data["lines"][1]["units"] = Decimal("Infinity")


def _half_a_letter(data: dict[str, Any]) -> None:
    data["customer"] = {**data["customer"], "name": "\ud83d"}


def _no_such_day(data: dict[str, Any]) -> None:
    data["issuing_date"] = "2026-02-30"


def _no_such_type(data: dict[str, Any]) -> None:
    data["lines"][1]["fee_type"] = "present"


def _logo_on_the_network(data: dict[str, Any]) -> None:
    data["seller"] = {**data["seller"], "logo": "https://logos.example/a.png"}


def _logo_is_a_page(data: dict[str, Any]) -> None:
    data["seller"] = {**data["seller"], "logo": "data:text/html;base64,PGI+"}


def _logo_is_no_image(data: dict[str, Any]) -> None:
    data["seller"] = {**data["seller"], "logo": b"%PDF-1.7"}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without_number, "number: Field required"),
        (_misspelt, "purchase_order: Unexpected keyword argument"),
        (_fraction, r"lines \[2\], units: got 0.1 \(float\)"),
        (_text_for_cents, r"lines.1.amount_cents: .*'100'"),
        (_flag_for_cents, r"lines.1.amount_cents: .*True"),
        (_not_a_number, "lines.1.units: .*NaN"),
        (_infinite, "Infinity is not a number that can be billed"),
        (_half_a_letter, r"customer, name: '\\ud83d' is not valid Unicode text"),
        (_no_such_day, "issuing_date: .*2026-02-30"),
        (_no_such_type, "lines.1.fee_type: .*present"),
        (_logo_on_the_network, "never as an address; got 'https://logos"),
        (_logo_is_a_page, "data:image/png"),
        (_logo_is_no_image, "must be a PNG, JPEG or SVG image"),
    ],
)
def test_data_that_is_not_an_invoice(typical: dict[str, Any], spoil: Any, says: str):
    spoil(typical)
    with pytest.raises(InvoiceDataError, match=says):
        load_invoice(typical)
