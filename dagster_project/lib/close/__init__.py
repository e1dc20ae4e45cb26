"""The period close: one function for the command, its steps for Dagster."""

from dagster_project.lib.close._backfill import WithdrawnBatch, backfill, withdraw
from dagster_project.lib.close._close import (
    CloseReport,
    CloseRequest,
    CloseRun,
    close,
    rate_candidates,
    seed_reference,
)
from dagster_project.lib.close._documents import (
    check_other_folder,
    document_file,
    is_as_issued,
    render_documents,
    reproduced_documents,
)
from dagster_project.lib.close._landing import LandingReport, land_books, land_calendar
from dagster_project.lib.close._publish import published_path
from dagster_project.lib.close._rederive import (
    HeldCustomer,
    InvoiceDifference,
    Rederivation,
    RestatedCustomer,
    close_up_to,
    rederive,
)
from dagster_project.lib.close._scope import (
    CloseScope,
    known_batch,
    naive_utc,
    open_close,
    parse_time,
    prepare_warehouse,
)
from dagster_project.lib.close._top_ups import perform_top_ups
from dagster_project.lib.close._totals import check_totals, lost_totals, record_totals

__all__ = [
    "CloseReport",
    "CloseRequest",
    "CloseRun",
    "CloseScope",
    "HeldCustomer",
    "InvoiceDifference",
    "LandingReport",
    "Rederivation",
    "RestatedCustomer",
    "WithdrawnBatch",
    "backfill",
    "check_other_folder",
    "check_totals",
    "close",
    "close_up_to",
    "document_file",
    "is_as_issued",
    "known_batch",
    "land_books",
    "land_calendar",
    "lost_totals",
    "naive_utc",
    "open_close",
    "parse_time",
    "perform_top_ups",
    "prepare_warehouse",
    "published_path",
    "rate_candidates",
    "record_totals",
    "rederive",
    "render_documents",
    "reproduced_documents",
    "seed_reference",
    "withdraw",
]
