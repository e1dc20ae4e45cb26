"""Invoice to PDF, with WeasyPrint and the fonts of this package."""

import atexit
import logging
import os
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING

from invoice_renderer._document import Invoice
from invoice_renderer._exceptions import RenderError, TypesetterError
from invoice_renderer._html import render_page, style_sheet

if TYPE_CHECKING:
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

NATIVE_PACKAGES = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")
"""Debian's packages that WeasyPrint cannot do without."""

_SCRIPTS = (
    ("Latin", "Žluťoučký Straße İstanbul", None),
    ("Greek", "Αθήνα", None),
    ("Cyrillic", "Київ", None),
    ("Arabic", "شركة النور", None),
    ("Chinese", "上海雲計算", "fonts-noto-cjk"),
    ("Japanese", "東京クラウドひらがな", "fonts-noto-cjk"),
    ("Korean", "서울클라우드", "fonts-noto-cjk"),
    ("Hebrew", "ענן", "fonts-noto-core"),
    ("Thai", "กรุงเทพ", "fonts-noto-core"),
    ("Devanagari", "मुंबई", "fonts-noto-core"),
)
_SAMPLE = '<html lang="en"><title>{script}</title><body class="han-simplified">{sample}'
_LOCK = Lock()
_logger = logging.getLogger(__name__)


def render_pdf(invoice: Invoice) -> bytes:
    """Give the invoice as PDF: A4, fonts embedded, no clock in it, nothing fetched.

    The first call of a process loads WeasyPrint and the fonts (a second or two). Letters that no
    installed font has are printed as boxes and logged as a warning that names the invoice.

    Raises:
        LocaleError: there are no words for the invoice's locale.
        TypesetterError: a native library or a font of this package is missing.
        RenderError: the logo is not an image, or wants something from outside the document.
    """
    page = render_page(invoice, style="")
    document, missing_letters = _set(page, label=f"invoice {invoice.number}")
    if missing_letters:
        _logger.warning(
            "invoice %s: no installed font has the letters %s; see missing_fonts().",
            invoice.number,
            missing_letters,
        )
    return document


def missing_fonts() -> tuple[str, ...]:
    """Name the scripts that would be printed as boxes here, and the package that helps.

    Empty when all is well. Scripts that come with this package cannot be missing.

    Raises:
        TypesetterError: a native library or a font of this package is missing.
    """
    return tuple(
        f"{script}: no installed font has its letters; on Debian and Ubuntu: apt-get install {package}"
        for script, sample, package in _SCRIPTS
        if _set(_SAMPLE.format(script=script, sample=sample), label=script)[1]
    )


def has_fast_fonts() -> bool:
    """Whether fonts are cut down to the letters in use by HarfBuzz; without it by fontTools, ten times slower.

    Raises:
        TypesetterError: a native library or a font of this package is missing.
    """
    _typesetter()
    from weasyprint.text.ffi import harfbuzz_subset

    return harfbuzz_subset is not None


@dataclass(frozen=True, slots=True)
class _Typesetter:
    """What every document of a process shares: the parsed style sheets and the fonts."""

    style_sheets: "tuple[CSS, ...]"
    fonts: "FontConfiguration"
    fetcher: "URLFetcher"


@dataclass(slots=True)
class _Findings:
    """What WeasyPrint only logs: letters that no font has, and images that it left out."""

    letters: set[str] = field(default_factory=set)
    has_broken_image: bool = False

    def take(self, record: logging.LogRecord) -> bool:
        """Keep what matters of a record; as a filter, let through what is not understood here."""
        if str(record.msg).startswith(".notdef") and isinstance(record.args, tuple):
            self.letters.add(str(record.args[0]))
            return False
        if str(record.msg).startswith("Using fontTools instead of HarfBuzz-Subset"):
            return False  # once for each font of each document: `has_fast_fonts` says it once
        if record.levelno >= logging.ERROR and "image" in str(record.msg):
            self.has_broken_image = True
            return False
        return True


def _set(page: str, *, label: str) -> tuple[bytes, str]:
    """Give a page of HTML as PDF, and the letters of it that no font has."""
    typesetter = _typesetter()
    from weasyprint import HTML
    from weasyprint.urls import FatalURLFetchingError

    logger = logging.getLogger("weasyprint")
    findings = _Findings()
    # Pango's font map is not made for two threads at once.
    with _LOCK:
        logger.addFilter(findings.take)
        try:
            document: bytes = HTML(string=page, url_fetcher=typesetter.fetcher).write_pdf(
                stylesheets=typesetter.style_sheets, font_config=typesetter.fonts, pdf_tags=True
            )
        except FatalURLFetchingError:
            findings.has_broken_image = True
        finally:
            logger.removeFilter(findings.take)
    if findings.has_broken_image:
        raise RenderError(
            f"{label}: the logo cannot be drawn. It must be a whole PNG, JPEG or SVG image that "
            "asks for nothing outside itself: a document fetches nothing."
        )
    return document, "".join(sorted(findings.letters))


@cache
def _typesetter() -> _Typesetter:
    # Imported here because it takes a second or more, which HTML and JSON need not wait for.
    try:
        from weasyprint import CSS
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher, URLFetcherResponse
    except OSError as error:
        raise TypesetterError(
            f"WeasyPrint cannot load a native library ({error}). On Debian and Ubuntu: apt-get "
            f"install {' '.join(NATIVE_PACKAGES)}"
        ) from error
    # fontTools, which cuts fonts down where HarfBuzz's subsetter is missing, writes the clock into them
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")

    font_files = {
        f"package-font:{entry.name}": entry.read_bytes()
        for entry in (files(__package__) / "fonts").iterdir()
        if entry.name.endswith(".ttf")
    }

    class FontFetcher(URLFetcher):  # type: ignore[misc]
        """Answers for the fonts of this package and for nothing else."""

        def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:
            return URLFetcherResponse(url, font_files[url])

    face_rules = (files(__package__) / "css" / "fonts.css").read_text(encoding="utf-8")
    if missing := [url for url in re.findall(r'url\("([^"]+)"\)', face_rules) if url not in font_files]:
        raise TypesetterError(
            f"the fonts {', '.join(missing)} are not in {files(__package__) / 'fonts'}; the "
            "package is not installed completely."
        )
    fonts = FontConfiguration()
    style_sheets = tuple(
        CSS(string=text, font_config=fonts, url_fetcher=FontFetcher()) for text in (face_rules, style_sheet())
    )
    # At exit the module that removes the fonts' temporary folder may be gone before the fonts.
    atexit.register(_typesetter.cache_clear)
    fetcher = URLFetcher(allowed_protocols=["data"], allow_redirects=False, fail_on_errors=True)
    return _Typesetter(style_sheets=style_sheets, fonts=fonts, fetcher=fetcher)
