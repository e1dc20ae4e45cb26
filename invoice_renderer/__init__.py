"""Invoices as documents: `load_invoice` reads one, ``render_…`` give HTML, PDF and JSON.

Knows nothing of databases, dbt or Dagster, fetches nothing and has no clock: equal invoices give
equal bytes.
"""

from invoice_renderer._bulk import FORMATS, file_name, render_many
from invoice_renderer._document import (
    FeeType,
    Invoice,
    InvoiceStatus,
    InvoiceType,
    Line,
    Party,
    Period,
    Price,
    PricingUnit,
    TaxLine,
    Tier,
    Totals,
)
from invoice_renderer._exceptions import (
    InvoiceDataError,
    InvoiceRendererError,
    InvoiceTotalsError,
    LocaleError,
    RenderError,
    TypesetterError,
)
from invoice_renderer._html import render_html
from invoice_renderer._json import render_json
from invoice_renderer._load import load_invoice, to_mapping
from invoice_renderer._logo import logo_data_uri
from invoice_renderer._pdf import NATIVE_PACKAGES, has_fast_fonts, missing_fonts, render_pdf
from invoice_renderer._words import available_locales

__all__ = [
    "FORMATS",
    "NATIVE_PACKAGES",
    "FeeType",
    "Invoice",
    "InvoiceDataError",
    "InvoiceRendererError",
    "InvoiceStatus",
    "InvoiceTotalsError",
    "InvoiceType",
    "Line",
    "LocaleError",
    "Party",
    "Period",
    "Price",
    "PricingUnit",
    "RenderError",
    "TaxLine",
    "Tier",
    "Totals",
    "TypesetterError",
    "available_locales",
    "file_name",
    "has_fast_fonts",
    "load_invoice",
    "logo_data_uri",
    "missing_fonts",
    "render_html",
    "render_json",
    "render_many",
    "render_pdf",
    "to_mapping",
]
