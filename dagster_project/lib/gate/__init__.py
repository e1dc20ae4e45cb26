"""The quality gate between candidates and ledger: what landed and what is about to be finalised is judged once a close.

SQL (dbt_project/models/gate) computes exact figures and the failing rows; Great Expectations judges the figures in two
suites, `events_landed` and `invoices_due`. A failing row keeps its customer out of finalisation through the relation
`gate_held_customers`, whether or not this package runs; the report says who waits and why. Only control totals, missing
relations and forbidden emptiness block the close.
"""

from dagster_project.lib.gate._checks import CHECKS, Check
from dagster_project.lib.gate._report import CheckOutcome, GateReport, Level, Subject
from dagster_project.lib.gate._run import run_gate

__all__ = ["CHECKS", "Check", "CheckOutcome", "GateReport", "Level", "Subject", "run_gate"]
