"""Reading committed invoices from the ledger, in the shapes that documents and messages need."""

from dagster_project.lib.ledger._invoices import IssuedInvoice, issued_invoices
from dagster_project.lib.ledger._keys import (
    VOID,
    Row,
    find_invoice,
    issued_invoice_ids,
    issuing_closes,
    triggered_alerts,
    void_document_ids,
)

__all__ = [
    "VOID",
    "IssuedInvoice",
    "Row",
    "find_invoice",
    "issued_invoice_ids",
    "issued_invoices",
    "issuing_closes",
    "triggered_alerts",
    "void_document_ids",
]
