"""The errors of the renderer.

::

    InvoiceRendererError
    ├── InvoiceDataError          the data is not an invoice
    │   └── InvoiceTotalsError    it is one, but its figures do not add up
    ├── LocaleError               no words in this language
    └── RenderError               the document could not be made
        └── TypesetterError       the native libraries or the fonts are not there

``LocaleError`` and ``TypesetterError`` are about the installation; the others name the invoice.
"""


class InvoiceRendererError(Exception):
    """Base of all errors of this package; the message is one readable paragraph."""


class InvoiceDataError(InvoiceRendererError, ValueError):
    """The data is not an invoice: says which field, what was expected and what was got."""


class InvoiceTotalsError(InvoiceDataError):
    """The figures of an invoice do not add up: says which, and both sides."""


class LocaleError(InvoiceRendererError, LookupError):
    """There are no words for the language that an invoice asks for."""


class RenderError(InvoiceRendererError):
    """A document could not be made, for example because it wanted to fetch something."""


class TypesetterError(RenderError):
    """WeasyPrint's native libraries or the fonts of this package cannot be loaded."""
