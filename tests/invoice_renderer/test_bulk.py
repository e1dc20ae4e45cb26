import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invoice_renderer import RenderError, file_name, load_invoice, render_json, render_many, render_pdf
from invoice_renderer._cli import main

Data = dict[str, Any]


@pytest.fixture
def some(make_invoice: Callable[..., Data], make_line: Callable[..., Data]) -> list[Data]:
    return [
        make_invoice([make_line(amount_cents=100 + place)], number=number)
        for place, number in enumerate(("NOR-1", "2026/11/№ 2", ".."))
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_writes_a_file_for_each(some: list[Data], tmp_path: Path, processes: int):
    invoices = [load_invoice(data) for data in some]
    paths = render_many(invoices, tmp_path, formats=("pdf", "json"), processes=processes)
    assert [path.name for path in paths] == [
        "NOR-1.pdf",
        "NOR-1.json",
        "2026%2F11%2F%E2%84%96%202.pdf",
        "2026%2F11%2F%E2%84%96%202.json",
        "%2E%2E.pdf",
        "%2E%2E.json",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for invoice, pdf, plain in zip(invoices, paths[::2], paths[1::2], strict=True):
        assert pdf.read_bytes() == render_pdf(invoice)
        assert plain.read_bytes() == render_json(invoice)


def test_refuses_two_of_one_number(some: list[Data], tmp_path: Path):
    invoice = load_invoice(some[0])
    with pytest.raises(RenderError, match="two invoices have the number NOR-1"):
        render_many([invoice, invoice], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_refuses_an_unknown_format(some: list[Data], tmp_path: Path):
    with pytest.raises(ValueError, match=r"\['docx'\]: expected some of html, json, pdf"):
        render_many([load_invoice(some[0])], tmp_path, formats=("docx",))


def test_command_line(some: list[Data], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "invoice.json"
    source.write_text(json.dumps(some[0]), encoding="utf-8")
    out = tmp_path / "documents"
    assert main([str(source), "--out", str(out), "--format", "html,json"]) == 0
    assert capsys.readouterr().out.split() == [f"{out}/NOR-1.html", f"{out}/NOR-1.json"]
    assert (out / "NOR-1.json").read_bytes() == render_json(load_invoice(some[0]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "expected one invoice, an object; got list"),
        ('{"number": "A-1"}', "invoice A-1: "),
    ],
)
def test_command_line_with_wrong_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str):
    source = tmp_path / "invoice.json"
    source.write_text(text, encoding="utf-8")
    assert main([str(source), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_command_line_with_an_unknown_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["a.json", "--out", str(tmp_path), "--format", "docx"])
    assert stop.value.code == 2
    assert "unknown format docx: choose from html, json, pdf" in capsys.readouterr().err


def test_command_line_with_a_duplicate(some: list[Data], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "invoice.json"
    source.write_text(json.dumps(some[0]), encoding="utf-8")
    assert main([str(source), str(source), "--out", str(tmp_path)]) == 1
    assert "two invoices have the number NOR-1" in capsys.readouterr().err


def test_a_long_name_is_cut_and_stays_different():
    names = [file_name("é" * 10_000 + end) for end in ("a", "b")]
    assert names[0] != names[1]
    assert all(len(name) == 193 and name.startswith("%C3%A9") for name in names)
    assert [file_name(text) for text in ("", ".", "..", "a/b")] == ["%", "%2E", "%2E%2E", "a%2Fb"]
