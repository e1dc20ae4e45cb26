"""Invoice to canonical JSON."""

import json

from invoice_renderer._document import Invoice
from invoice_renderer._load import to_mapping

# fields of a line that came after documents had been issued without them
_LATER_LINE_FIELDS = ("pricing_unit",)


def render_json(invoice: Invoice) -> bytes:
    """Give the invoice's mapping as UTF-8 JSON: sorted keys, two spaces, a newline at the end.

    Equal invoices give equal bytes, and `load_invoice` reads them back to an equal invoice. Fields that later versions
    added are left out where they are null, so that what was issued before comes out again to the byte.
    """
    mapping = to_mapping(invoice)
    for line in mapping["lines"]:
        for name in _LATER_LINE_FIELDS:
            if line[name] is None:
                del line[name]
    text = json.dumps(mapping, ensure_ascii=False, indent=2, sort_keys=True)
    return f"{text}\n".encode()
