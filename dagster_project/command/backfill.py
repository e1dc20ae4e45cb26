"""`meterhouse backfill`: land a past period, see what it changes, and take it back if that is wrong."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import (
    ConsoleProgress,
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.command.reproduce import show_rederivation
from dagster_project.lib.close import Rederivation, parse_time, rederive, withdraw
from dagster_project.lib.close import backfill as land
from dagster_project.lib.warehouse import warehouse_lock
from dagster_project.lib.words import amount_text, plural


@click.command(short_help="Land a past period, see what it changes, or take it back.")
@click.option("--book", type=click.Path(path_type=Path), help="The book with the files of the period.")
@click.option("--as-of", metavar="TIME", help="Preview billing up to this time (default: now).")
@click.option("--undo", is_flag=True, help="Take back what was landed last, while no close has known it.")
@click.option("--reason", help="Why it is taken back; kept in raw.withdrawn_batches.")
@warehouse_option
@click.option("--wait", default=0.0, show_default=True, metavar="SECONDS", help="Wait for a busy warehouse.")
def backfill(
    book: Path | None, as_of: str | None, undo: bool, reason: str | None, warehouse_location: str | None, wait: float
) -> None:
    """Land what is new in a book as one batch, and show what the next close would make of it; nothing is closed."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    progress, now = ConsoleProgress(), datetime.now(UTC)
    if undo == (book is not None):
        raise click.UsageError("Give either --book DIR or --undo.")
    if undo:
        require_warehouse(warehouse)
    with warehouse_lock(warehouse, purpose="backfill", timeout_seconds=wait, waiting=progress.note):
        if book is None:
            taken = withdraw(warehouse, now=now, reason=reason)
            console.print(
                f"Batch {taken.batch_id} was taken back: {plural(taken.files_count, 'file')}, {plural(taken.landed_count, 'event')}"
            )
            return
        moment = parse_time(as_of, "--as-of") if as_of is not None else now
        landing = land(warehouse, book, now=now, progress=progress)
        if landing.batch_id is None:
            console.print("Nothing in the book is new; nothing was landed.")
            return
        result = rederive(
            warehouse, settings.home, close_id=None, as_of=moment, known_at=None, now=now, progress=progress
        )
        show_rederivation(result)
        _show_restatements(result)
    console.print(
        f"Landed as batch {landing.batch_id}: `meterhouse close` bills it, `meterhouse backfill --undo` takes it back."
    )


def _show_restatements(result: Rederivation) -> None:
    if not result.restatements:
        console.print("No billed period changes.")
        return
    table = Table("organisation", "customer", "billed periods", "cause", "outcome", "difference")
    for row in result.restatements:
        table.add_row(
            row.organization_id,
            row.external_customer_id,
            str(row.periods_count),
            row.cause,
            row.outcome,
            f"{amount_text(row.difference_cents, row.exponent)} {row.currency}",
        )
    console.print(table)
