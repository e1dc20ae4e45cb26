import hashlib
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from invoice_renderer import load_invoice, missing_fonts, render_html, render_json, render_pdf

Data = dict[str, Any]
ROOT = Path(__file__).parents[2]


def pages_of(data: Data) -> list[str]:
    reader = PdfReader(io.BytesIO(render_pdf(load_invoice(data))))
    return [page.extract_text() for page in reader.pages]


def digests_of(data: Data) -> list[str]:
    invoice = load_invoice(data)
    documents = (render_html(invoice).encode(), render_pdf(invoice), render_json(invoice))
    return [hashlib.sha256(document).hexdigest() for document in documents]


IN_A_PROCESS = """
import hashlib, json, sys
from invoice_renderer import load_invoice, render_html, render_json, render_pdf

for data in json.load(sys.stdin):
    invoice = load_invoice(data)
    for document in (render_html(invoice).encode(), render_pdf(invoice), render_json(invoice)):
        print(hashlib.sha256(document).hexdigest())
"""


@pytest.mark.slow
def test_same_bytes_in_any_process(typical: Data, arabic_to_chinese: Data, dinar: Data):
    surroundings: list[dict[str, str]] = [
        {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LANG": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LANG": "C.UTF-8"},
    ]
    # Another order here: what was rendered before must leave no trace.
    here = {id(data): digests_of(data) for data in (dinar, arabic_to_chinese, typical)}
    expected = [digest for data in (typical, arabic_to_chinese) for digest in here[id(data)]]
    for surrounding in surroundings:
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            input=json.dumps([typical, arabic_to_chinese]).encode(),
            env={**os.environ, **surrounding, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.decode().split() == expected


def test_no_clock_in_the_file(typical: Data):
    document = render_pdf(load_invoice(typical))
    assert b"CreationDate" not in document
    assert b"ModDate" not in document
    reader = PdfReader(io.BytesIO(document))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice NOR-2026-0042"
    assert reader.metadata.author == "Northwind Compute GmbH"


@pytest.mark.slow
def test_four_hundred_lines(long: Data):
    pages = pages_of(long)
    assert 10 <= len(pages) <= 16
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Tax ID DE 811 569 869" in page
    for page in pages[:-1]:
        assert "Description" in page
        assert "Unit price" in page
    for page in pages[1:]:
        assert "Invoice NOR-2026-0043" in page
    text = "\n".join(pages)
    assert set(re.findall(r"project-(\d{4})", text)) == {f"{line:04d}" for line in range(400)}
    # The amounts of the lines are 0, 1, … 399 cents.
    assert sum(range(400)) == 79800
    assert "€798.00" in pages[-1]


@pytest.mark.parametrize("count", range(6, 24))
def test_breaks_are_where_a_reader_wants_them(
    make_invoice: Callable[..., Data], make_line: Callable[..., Data], count: int
):
    """Whatever the length, a heading stays with what it heads and the totals stay in one piece."""
    before = [make_line(code="first", name="First", group={"n": f"a{place}"}) for place in range(count)]
    of_another = {"subscription_id": "sub_2", "subscription_name": "Second workspace"}
    after = [
        make_line(
            code="second",
            name="Second",
            group={"n": f"b{place}", **{f"z{key}": "value " * 4 for key in range(4)}},
            **of_another,
        )
        for place in range(3)
    ]
    numbers = {"units": "5", "per_unit_amount": "1.5", "flat_amount": "0", "amount": "7.5"}
    tiers = [
        {"from_value": "0", "to_value": "5", **numbers},
        {"from_value": "6", "to_value": None, **numbers},
    ]
    tiered = make_line(code="third", name="Third", unit_amount=None, tiers=tiers, **of_another)
    pages = pages_of(make_invoice([*before, *after, tiered]))
    (page,) = (page for page in pages if "Second workspace" in page)
    assert "€45.00 in total" in page
    assert "n: b0" in page
    (page,) = (page for page in pages if "Third" in page)
    assert "0 – 5" in page
    assert "From 6" in page
    for place in range(3):
        (page,) = (page for page in pages if f"n: b{place}" in page)
        # The first label of a row, and then its last cell, before anything of the next.
        row = page[page.index(f"n: b{place}") :].partition("€15.00")[0]
        assert all(label in row for label in ("z0:", "z1:", "z2:", "z3:"))
    (totals,) = (page for page in pages if "Subtotal excluding tax" in page)
    assert "Total including tax" in totals
    assert "Payable within 30 days" in totals
    assert "From 6" in totals  # never a page of totals without a line


def test_every_script_has_its_letters(arabic_to_chinese: Data, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        document = render_pdf(load_invoice(arabic_to_chinese))
    assert caplog.records == []
    reader = PdfReader(io.BytesIO(document))
    text = "".join(page.extract_text() for page in reader.pages)
    for name in (
        "上海云计算科技有限公司",
        "サーバー利用料",
        "김철수",
        "Grüße aus Düsseldorf",
        "Łódź",
    ):
        assert name in text
    # Right-to-left words come out in the order in which they stand on the page.
    assert set("شركةالنور") <= set(text) | set("شركةالنور"[::-1])
    fonts = embedded_fonts(reader)
    assert {"Invoice-Sans", "Invoice-Arabic"} <= {name.partition("+")[2] for name in fonts}
    assert all(fonts.values())


def embedded_fonts(reader: PdfReader) -> dict[str, bool]:
    """Name the fonts of the pages, and whether each carries its outlines with it."""
    found = {}
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            (descendant,) = font.get_object()["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"].get_object()
            name = str(font.get_object()["/BaseFont"])
            found[name] = bool({"/FontFile2", "/FontFile3"} & set(descriptor))
    return found


def test_an_invoice_without_lines_is_a_document_too(make_invoice: Callable[..., Data]):
    (page,) = pages_of(make_invoice([]))
    assert "Nothing left to pay" in page


def test_is_tagged_for_screen_readers(typical: Data):
    root = PdfReader(io.BytesIO(render_pdf(load_invoice(typical)))).root_object
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"


def test_letters_that_no_font_has_are_reported(typical: Data, caplog: pytest.LogCaptureFixture):
    # The last code point of a private plane: no font may give it a meaning.
    typical["notes"] = ["\U0010fffd"]
    with caplog.at_level(logging.WARNING):
        render_pdf(load_invoice(typical))
    (record,) = caplog.records
    assert "invoice NOR-2026-0042: no installed font has the letters \U0010fffd" in record.message


def test_this_machine_has_every_font():
    assert missing_fonts() == ()
