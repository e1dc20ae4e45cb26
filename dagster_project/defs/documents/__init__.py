"""The documents of invoices."""
