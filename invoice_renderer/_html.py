"""Invoice to HTML."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from invoice_renderer._document import Invoice
from invoice_renderer._view import view_of

_STYLE_SHEETS = ("tokens.css", "scripts.css", "invoice.css", "print.css")


def render_html(invoice: Invoice) -> str:
    """Give one HTML page that needs nothing but itself; every text of the invoice is escaped.

    Raises:
        LocaleError: there are no words for the invoice's locale.
    """
    return render_page(invoice, style=style_sheet())


def render_page(invoice: Invoice, *, style: str) -> str:
    """Fill in the template around a style sheet, which may be empty."""
    return _template().render(view=view_of(invoice), style=style)


@cache
def style_sheet() -> str:
    """Join the style sheets of the package."""
    folder = files(__package__) / "css"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in _STYLE_SHEETS)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("invoice.html.j2")
