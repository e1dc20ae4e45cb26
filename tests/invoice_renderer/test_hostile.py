"""Texts that try to be markup, and logos that try to fetch: nothing is read, nothing is called."""

import base64
import io
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from invoice_renderer import RenderError, load_invoice, render_html, render_pdf


class Counter(HTTPServer):
    """A server on loopback that counts who calls."""

    hits = 0


class Hit(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Counter)
        self.server.hits += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Counter]:
    with Counter(("127.0.0.1", 0), Hit) as counter:
        thread = threading.Thread(target=counter.serve_forever, args=(0.01,))
        thread.start()
        yield counter
        counter.shutdown()
        thread.join()


def spoilt(value: Any, text: str) -> Any:
    """Put the text into every name, code, label and note."""
    if isinstance(value, dict):
        kept = ("invoice_type", "status", "fee_type", "currency", "locale")
        return {
            key: item if key in kept or key.endswith("_date") else spoilt(item, text) for key, item in value.items()
        }
    if isinstance(value, list):
        return [spoilt(item, text) for item in value]
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return f"{value}{text}"
    return value


def hostile_texts(address: str, secret: Path) -> list[str]:
    return [
        f'<link rel=attachment href="{secret.as_uri()}">',
        f'<link rel=stylesheet href="{address}/a.css">',
        f"</style><style>@import url({address}/b.css);</style>",
        f'"><img src="{address}/c.png" onerror=alert(1)>',
        f"<svg><image href='{address}/d.png'/></svg><script src={address}/e.js></script>",
        f"<table style=\"background:url('{address}/f.png')\">" * 3,
        "{{ 7*7 }}{% for x in y %}{# #}</title></body></html><!-- ]]> &amp; &#0;",
    ]


def test_texts_stay_texts(make_invoice: Any, make_line: Any, server: Counter, tmp_path: Path):
    invoice = make_invoice([make_line(group={"cloud": "aws"})], purchase_order_number="PO")
    secret = tmp_path / "secret.txt"
    secret.write_text("the combination is 4711", encoding="utf-8")
    address = f"http://127.0.0.1:{server.server_port}"
    clean = elements(render_html(load_invoice(invoice)))
    texts = hostile_texts(address, secret)
    for text in texts:
        assert elements(render_html(load_invoice(spoilt(invoice, text)))) == clean
    spoilt_invoice = spoilt({**invoice, "notes": texts}, "".join(texts))
    reader = PdfReader(io.BytesIO(render_pdf(load_invoice(spoilt_invoice))))
    assert not reader.attachments
    # The typesetter may break a long word anywhere.
    printed = "".join("".join(page.extract_text() for page in reader.pages).split())
    for text in texts:
        assert "".join(text.split()) in printed
    assert "4711" not in printed
    assert server.hits == 0


def elements(html: str) -> list[str]:
    """List the elements of a page in order, whatever their texts."""
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(f"{tag} {sorted(name for name, _ in attrs)}")

    Tags().feed(html)
    return found


@pytest.mark.parametrize(
    "picture",
    [
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{}"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        "<style>@import url({});</style><rect width='9' height='9'/></svg>",
    ],
)
@pytest.mark.parametrize("where", ["network", "file"])
def test_a_logo_that_asks_for_more_is_refused(
    typical: dict[str, Any], server: Counter, tmp_path: Path, picture: str, where: str
):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    address = {"network": f"http://127.0.0.1:{server.server_port}/x", "file": secret.as_uri()}
    logo = base64.b64encode(picture.format(address[where]).encode()).decode()
    typical["seller"] = {**typical["seller"], "logo": f"data:image/svg+xml;base64,{logo}"}
    with pytest.raises(RenderError, match="invoice NOR-2026-0042: the logo cannot be drawn"):
        render_pdf(load_invoice(typical))
    assert server.hits == 0


def test_a_logo_that_is_no_image_is_refused(typical: dict[str, Any]):
    typical["seller"] = {**typical["seller"], "logo": b"\x89PNG\r\n\x1a\n" + bytes(8)}
    with pytest.raises(RenderError, match="invoice NOR-2026-0042: the logo cannot be drawn"):
        render_pdf(load_invoice(typical))
