"""Meterhouse's orchestrator: reading books, landing events, closing periods, delivering invoices."""
