"""`meterhouse close`: land, rate, check, finalise, render, queue for delivery."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import (
    HELD_SHOWN,
    ConsoleProgress,
    chosen_warehouse,
    console,
    held_texts,
    require_warehouse,
    warehouse_option,
)
from dagster_project.command.reproduce import show_rederivation
from dagster_project.lib.close import CloseReport, CloseRequest, parse_time, rederive
from dagster_project.lib.close import close as close_period
from dagster_project.lib.warehouse import Warehouse, warehouse_lock
from dagster_project.lib.words import amount_text, plural
from dagster_project.settings import Settings


@click.command(short_help="Land a book, bill what is due, finalise it, make documents.")
@click.option(
    "--book",
    type=click.Path(path_type=Path),
    help="Book to land first (default: METERHOUSE_BOOK, if set).",
)
@click.option("--as-of", metavar="TIME", help="Bill every moment up to this time (default: now).")
@click.option("--known-at", metavar="CLOSE_OR_TIME", help="Know only batches landed up to a close or a time.")
@warehouse_option
@click.option("--out", type=click.Path(path_type=Path), help="Where documents are written.")
@click.option(
    "--no-documents",
    is_flag=True,
    help="Do not render documents; the next close or `render` makes them.",
)
@click.option("--endpoints", type=click.Path(path_type=Path), help="endpoints.yaml: who is told of invoices.")
@click.option(
    "--override-incomplete",
    metavar="REASON",
    help="Bill periods although expected sources have not landed; the reason is kept in the ledger.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be finalised; nothing is landed or written.")
@click.option("--wait", default=0.0, show_default=True, metavar="SECONDS", help="Wait for a busy warehouse.")
def close(
    book: Path | None,
    as_of: str | None,
    known_at: str | None,
    warehouse_location: str | None,
    out: Path | None,
    no_documents: bool,
    endpoints: Path | None,
    override_incomplete: str | None,
    dry_run: bool,
    wait: float,
) -> None:
    """Close: bill everything that is due, finalise it and make its documents."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    now = datetime.now(UTC)
    moment = parse_time(as_of, "--as-of") if as_of is not None else now
    if override_incomplete is not None and not override_incomplete.strip():
        raise click.UsageError("--override-incomplete needs a reason: it is kept in the ledger.")
    if dry_run:
        if book is not None:
            raise click.UsageError("A dry run lands nothing: leave --book away, or land the book first.")
        _try_close(settings, warehouse, moment, known_at, override_incomplete, wait)
        return
    request = CloseRequest(
        warehouse=warehouse,
        home=settings.home,
        as_of=moment,
        now=now,
        book=book or settings.book,
        known_at=known_at,
        out_dir=None if no_documents else (out or settings.documents),
        documents_dir=settings.documents,
        endpoints=endpoints or settings.endpoints,
        lock_seconds=wait,
        override_reason=override_incomplete,
    )
    report = close_period(request, ConsoleProgress())
    show_report(report)
    if report.failed_tests:
        raise SystemExit(1)


def _try_close(
    settings: Settings,
    warehouse: Warehouse,
    as_of: datetime,
    known_at: str | None,
    override_reason: str | None,
    wait: float,
) -> None:
    require_warehouse(warehouse)
    progress = ConsoleProgress()
    with warehouse_lock(warehouse, purpose="dry run", timeout_seconds=wait, waiting=progress.note):
        result = rederive(
            warehouse,
            settings.home,
            close_id=None,
            as_of=as_of,
            known_at=known_at,
            now=datetime.now(UTC),
            progress=progress,
            override_reason=override_reason,
        )
    show_rederivation(result)


def show_report(report: CloseReport) -> None:
    """Print the closing summary."""
    table = Table(title=f"Close {report.scope.close_id}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    moments = sorted(set(report.scope.as_of.values()))
    table.add_row("billed up to", ", ".join(f"{moment:%Y-%m-%d %H:%M} UTC" for moment in moments))
    table.add_row("organisations", str(len(report.scope.as_of)))
    invoices = sum(count for _, count, _, _ in report.invoices)
    table.add_row("invoices", str(invoices))
    for currency, count, total, exponent in report.invoices:
        table.add_row(f"  {currency}", f"{count} for {amount_text(total, exponent)}")
    if report.landing is not None:
        files = report.landing.files
        table.add_row(
            "landed now",
            f"{plural(sum(file.landed_count for file in files), 'event')} "
            f"of {plural(report.landing.lines_count, 'line')}, "
            f"{plural(sum(file.duplicates_count for file in files), 'duplicate')}, "
            f"{plural(sum(file.conflicts_count for file in files), 'conflict')}, "
            f"{sum(file.rejected_count for file in files):,} rejected",
        )
    table.add_row("events so far", ", ".join(f"{count:,} {fate}" for fate, count in report.fates.items()) or "none")
    checks = report.gate.checks
    passed = sum(check.passed for check in checks)
    table.add_row(
        "checks",
        f"{passed} of {len(checks)} passed; {plural(len(report.failed_tests), 'test')} of the marts failed",
    )
    for check in checks:
        if not check.passed:
            table.add_row(f"  {check.level}", f"{check.name}: {check.observed}")
    for test in report.failed_tests:
        table.add_row("  test", test)
    for words in held_texts(report.held):
        table.add_row("  held", words)
    if len(report.held) > HELD_SHOWN:
        table.add_row("  held", "all of them: marts.rpt_held_customers")
    table.add_row("documents", f"{plural(report.documents_count, 'document')} rendered")
    table.add_row("outbox", f"{plural(report.messages_count, 'message')} queued")
    if report.published is not None:
        table.add_row("marts", str(report.published))
    table.add_row("report", str(report.report))
    table.add_row("time", ", ".join(f"{step} {seconds:.1f} s" for step, seconds in report.seconds.items()))
    console.print(table)
