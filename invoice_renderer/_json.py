"""Invoice to canonical JSON."""

import json

from invoice_renderer._document import Invoice
from invoice_renderer._load import to_mapping


def render_json(invoice: Invoice) -> bytes:
    """Give the invoice's mapping as UTF-8 JSON: sorted keys, two spaces, a newline at the end.

    Equal invoices give equal bytes, and `load_invoice` reads them back to an equal invoice.
    """
    text = json.dumps(to_mapping(invoice), ensure_ascii=False, indent=2, sort_keys=True)
    return f"{text}\n".encode()
