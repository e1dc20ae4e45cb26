"""The period close: one function for the command, its steps for Dagster."""

from dagster_project.lib.close._close import (
    CloseReport,
    CloseRequest,
    CloseRun,
    close,
    seed_reference,
)
from dagster_project.lib.close._documents import render_documents
from dagster_project.lib.close._landing import LandingReport, land_books, land_calendar
from dagster_project.lib.close._publish import published_path
from dagster_project.lib.close._scope import (
    CloseScope,
    known_batch,
    naive_utc,
    open_close,
    parse_time,
    prepare_warehouse,
)

__all__ = [
    "CloseReport",
    "CloseRequest",
    "CloseRun",
    "CloseScope",
    "LandingReport",
    "close",
    "known_batch",
    "land_books",
    "land_calendar",
    "naive_utc",
    "open_close",
    "parse_time",
    "prepare_warehouse",
    "published_path",
    "render_documents",
    "seed_reference",
]
