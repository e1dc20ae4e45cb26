"""The audit: does the ledger, and what was made of it, still say what the closes wrote?"""

from dagster_project.lib.audit._audit import AuditReport, WrongRow, audit

__all__ = ["AuditReport", "WrongRow", "audit"]
