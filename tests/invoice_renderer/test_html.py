from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from invoice_renderer import LocaleError, available_locales, load_invoice, render_html
from invoice_renderer._words import words_of

Data = dict[str, Any]
SNAPSHOT = Path(__file__).parent / "__snapshots__" / "one_line.html"


class Page(HTMLParser):
    """The elements and the text of a page, cell by cell."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._is_style = False
        self._is_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._is_style = tag == "style"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._is_style = False
        if tag in ("td", "th"):
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_style:
            return
        self.text += data
        if self._is_cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()

    def row(self, start: str) -> list[str]:
        """Give the first row whose first cell starts so."""
        return next(row for row in self.rows if row and row[0].startswith(start))


def page_of(data: Data) -> Page:
    return Page(render_html(load_invoice(data)))


def test_prints_the_lines(typical: Data):
    page = page_of(typical)
    assert page.row("API calls")[1:] == ["51,234,567", "Tiered", "20%", "€137.47"]
    assert page.row("class : infrequent access")[1:] == ["90,210", "€0.0125", "20%", "€1,127.63"]
    assert page.row("cloud : gcp zone : none")[1:] == ["410", "€0.12", "20%", "€49.20"]
    assert page.row("All other usage")[1:] == ["318.5", "€0.03", "20%", "€9.56"]
    assert page.row("Printed operations handbook")[1:] == ["3", "€45.00", "5.5%", "€135.00"]


def test_prints_tiers_as_rows_of_their_own(typical: Data):
    page = page_of(typical)
    assert page.row("0 – 10,000,000") == [
        "0 – 10,000,000",
        "10,000,000",
        "€0.000003",
        "",
        "€30.00",
    ]
    assert page.row("10,000,001 –") == [
        "10,000,001 – 50,000,000 + flat fee €5.00",
        "40,000,000",
        "€0.0000025",
        "",
        "€105.00",
    ]
    assert page.row("From 50,000,001")[1:] == ["1,234,567", "€0.000002", "", "€2.469134"]


def test_prints_rates_packages_and_what_is_free(make_invoice: Callable[..., Data], make_line: Any):
    package = {"package_size": "100", "package_amount": "5", "free_units": "10"}
    share = {
        "rate": "2.9",
        "fixed_amount": "0.25",
        "event_min_amount": "0.5",
        "event_max_amount": "12",
        "free_events": 1,
    }
    tiers = [
        {"from_value": "0", "to_value": "1000", "units": "1000", "per_unit_amount": None, "rate": "1.5",
         "flat_amount": "2", "amount": "17"},
    ]  # fmt: skip
    page = page_of(
        make_invoice(
            [
                make_line(code="p", name="Packages", unit_amount=None, price=package),
                make_line(code="s", name="Shares", unit_amount=None, price=share),
                make_line(code="g", name="Graduated shares", unit_amount=None, tiers=tiers),
            ]
        )
    )
    assert page.row("Packages")[:3] == ["Packages 10 free", "10", "€5.00 per 100"]
    terms = "€0.25 per event at least €0.50 per event at most €12.00 per event 1 event free"
    assert page.row("Shares")[:3] == [f"Shares {terms}", "10", "2.9%"]
    assert page.row("0 – 1,000")[1:] == ["1,000", "1.5%", "", "€17.00"]


def test_prices_in_a_unit_of_their_own_are_not_written_in_the_currency(
    make_invoice: Callable[..., Data], make_line: Any
):
    # 5 x 0.2857 are 1.4285 tokens, rounded to 1.43, at 2.5 each 3.575: 3.58
    token = {"name": "Token", "conversion_rate": "2.5"}
    tiers = [
        {"from_value": "0", "to_value": None, "units": "5", "per_unit_amount": "0.2857", "rate": None,
         "flat_amount": "1", "amount": "2.4285"},
    ]  # fmt: skip
    priced = make_line(code="t", name="Calls", units="5", events_count=5, unit_amount="0.2857", pricing_unit=token)
    ranged = make_line(code="r", name="Ranges", unit_amount=None, tiers=tiers, pricing_unit=token)
    page = page_of(make_invoice([priced, ranged]))
    space = "\N{NO-BREAK SPACE}"
    assert page.row("Calls")[:3] == ["Calls 1 Token = €2.50", "5", f"0.2857{space}Token"]
    assert page.row("From 0")[:3] == [f"From 0 + flat fee 1{space}Token", "5", f"0.2857{space}Token"]
    assert page.row("From 0")[-1] == f"2.4285{space}Token"
    assert page.row("Calls")[-1].startswith("€")


def test_groups_by_subscription_then_charge(typical: Data):
    starts = [row[0] for row in page_of(typical).rows]
    order = ["Scale plan, production", "Scale plan", "API calls", "Object storage", "Premium supp"]
    positions = [next(place for place, start in enumerate(starts) if start.startswith(name)) for name in order]
    assert positions == sorted(positions)
    # 499.00 + 137.47 + 269.65 + 1127.63 + 9.56 + 697.00 + 49.20, and 406 + 135 + 59
    assert page_of(typical).row("Scale plan, production")[1] == "€2,789.51"
    assert page_of(typical).row("Premium support")[1] == "€600.00"
    assert "€1,406.84 in total" in page_of(typical).text


def test_a_period_is_said_only_where_it_differs(typical: Data):
    page = page_of(typical)
    dash = "\N{THIN SPACE}\N{EN DASH}\N{THIN SPACE}"
    assert page.row("Scale plan Nov")[0] == f"Scale plan Nov 1{dash}30, 2026"
    assert page.text.count("Oct 1") == 1


def test_totals_lead_from_lines_to_the_amount_due(typical: Data):
    page = page_of(typical)
    rows = page.rows[page.rows.index(page.row("Total of lines")) :]
    # 3389.51 - 500 - 200 = 2689.51; + 519.43 = 3208.94; - 120 - 300 = 2788.94
    assert rows == [
        ["Total of lines", "€3,389.51"],
        ["Already billed in this period", "−€500.00"],
        ["Discounts", "−€200.00"],
        ["Subtotal excluding tax", "€2,689.51"],
        ["Tax", "€519.43"],
        ["Total including tax", "€3,208.94"],
        ["Credit notes applied", "−€120.00"],
        ["Prepaid credits applied", "−€300.00"],
        ["Amount due", "€2,788.94"],
    ]


def test_taxes_by_rate_and_their_rounding(typical: Data):
    typical["tax_lines"][0]["amount_cents"] -= 1
    page = page_of(typical)
    assert page.row("TVA") == ["TVA", "20%", "€2,562.17", "€512.42"]
    assert page.row("TVA, livres") == ["TVA, livres", "5.5%", "€127.34", "€7.00"]
    assert page.row("Rounding") == ["Rounding", "", "", "€0.01"]


def test_a_plain_invoice_has_no_empty_parts(make_invoice: Callable[..., Data], make_line: Any):
    page = page_of(make_invoice([make_line(subscription_id=None, subscription_name=None)]))
    for absent in (
        "Discounts",
        "Credit notes",
        "Other charges",
        "Purchase order",
        "Notes",
        "Draft",
    ):
        assert absent not in page.text
    assert not [attributes for tag, attributes in page.tags if tag == "img"]


def test_a_draft_and_a_void_invoice_say_so(dinar: Data):
    assert "Draft" in page_of(dinar).text
    void = page_of({**dinar, "status": "voided"}).text
    assert "Void" in void
    assert "Payable" in page_of(dinar).text
    assert "Payable" not in void
    assert "KWD\N{NO-BREAK SPACE}1,235.046" in page_of(dinar).text


def test_yen_have_no_decimals(arabic_to_chinese: Data):
    text = page_of(arabic_to_chinese).text
    assert "¥1,240,712" in text
    assert "¥1,240,712." not in text
    assert "¥41,151.3" in text


def test_nothing_is_asked_for_when_nothing_is_due(typical: Data):
    typical["totals"]["prepaid_credit_amount_cents"] += 278894
    typical["totals"]["total_amount_cents"] = 0
    page = page_of(typical)
    assert page.row("Amount due") == ["Amount due", "€0.00"]
    assert "Nothing is left to pay." in page.text
    assert "Payable" not in page.text


@pytest.mark.parametrize(("units", "is_wide"), [("99999999999", False), ("999999999999", True)])
def test_long_figures_get_wider_columns(make_invoice: Callable[..., Data], make_line: Any, units: str, is_wide: bool):
    page = page_of(make_invoice([make_line(units=units)]))
    classes = [str(attributes.get("class")) for tag, attributes in page.tags if tag == "table"]
    assert ("lines has-wide-figures" in classes) == is_wide


@pytest.mark.parametrize(("price", "is_wide"), [("0.00073", False), ("0.0000073", True)])
def test_letters_of_a_currency_are_wider_than_digits(dinar: Data, price: str, is_wide: bool):
    dinar["lines"][0]["unit_amount"] = price
    page = page_of(dinar)
    classes = [str(attributes.get("class")) for tag, attributes in page.tags if tag == "table"]
    assert ("lines has-wide-figures" in classes) == is_wide


def test_directions_and_language_are_set(arabic_to_chinese: Data):
    page = page_of(arabic_to_chinese)
    assert ("html", {"lang": "en", "dir": "ltr"}) in page.tags
    names = [attributes for tag, attributes in page.tags if tag == "bdi"]
    assert {attributes["dir"] for attributes in names} == {"auto"}
    assert {"dir": "auto", "class": "rtl"} in names
    assert ("div", {"class": "han-simplified"}) in page.tags


def test_control_characters_are_left_out(make_invoice: Callable[..., Data], make_line: Any):
    page = page_of(make_invoice([make_line(name="A\x00P\x0bI\x1b")], notes=["one\ntwo"]))
    assert page.row("API")[1] == "10"
    assert "one\ntwo" in page.text


def test_a_logo_takes_the_place_of_the_name(typical: Data):
    logo = b"\x89PNG\r\n\x1a\n" + bytes(8)
    page = page_of({**typical, "seller": {**typical["seller"], "logo": logo}})
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["Northwind Compute"]
    assert str(images[0]["src"]).startswith("data:image/png;base64,")
    assert "wordmark" not in [attributes.get("class") for _, attributes in page.tags]


def test_needs_nothing_but_itself(typical: Data):
    html = render_html(load_invoice(typical))
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_unknown_language(typical: Data):
    typical["locale"] = "../en"
    with pytest.raises(LocaleError, match=r"no words for the locale '../en': expected one of en"):
        render_html(load_invoice(typical))


def test_every_language_has_every_phrase():
    english = words_of("en")
    for locale in available_locales():
        words = words_of(locale)
        assert words.phrases.keys() == english.phrases.keys()
        for phrase in words.phrases.values():
            if not isinstance(phrase, str):
                assert phrase.keys() >= set(words.locale.plural_form.tags) | {"other"}


def test_snapshot(make_invoice: Callable[..., Data], make_line: Any):
    data = make_invoice([make_line(group={"cloud": "aws"})], notes=["Merci !"])
    html = render_html(load_invoice(data))
    head, _, rest = html.partition("<style>")
    assert head + rest.partition("</style>\n")[2] == SNAPSHOT.read_text(encoding="utf-8")
