"""`meterhouse reproduce`: derive a past close again, without touching the ledger."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import (
    ConsoleProgress,
    chosen_warehouse,
    console,
    held_texts,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.close import (
    Rederivation,
    check_other_folder,
    close_up_to,
    parse_time,
    rederive,
    reproduced_documents,
)
from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import Warehouse, warehouse_lock
from dagster_project.lib.words import amount_text, plural

_SHOWN = 30


@click.command(short_help="Derive a past close again and compare to the byte.")
@click.argument("close_id", type=int, metavar="[CLOSE]", required=False)
@click.option("--as-of", metavar="TIME", help="Bill up to another time than the close did.")
@click.option(
    "--known-at", metavar="CLOSE_OR_TIME", help="Know what another close, or a time, knew (`now`: everything)."
)
@warehouse_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the documents that come out, and compare them.")
@click.option("--wait", default=0.0, show_default=True, metavar="SECONDS", help="Wait for a busy warehouse.")
def reproduce(
    close_id: int | None,
    as_of: str | None,
    known_at: str | None,
    warehouse_location: str | None,
    out: Path | None,
    wait: float,
) -> None:
    """Derive a past close again from what it knew, or from what is known now, and compare to the byte.

    Without CLOSE it is the one that billed the time of --as-of. What earlier closes billed after that time is derived again.
    """
    settings, warehouse = chosen_warehouse(warehouse_location)
    require_warehouse(warehouse)
    progress = ConsoleProgress()
    now = datetime.now(UTC)
    moment = parse_time(as_of, "--as-of") if as_of is not None else None
    if close_id is None and moment is None:
        raise click.UsageError("Give CLOSE, --as-of TIME, or both.")
    if out is not None:
        check_other_folder(out, settings.documents)
    with warehouse_lock(warehouse, purpose="reproduce", timeout_seconds=wait, waiting=progress.note):
        if close_id is None and moment is not None:
            close_id = close_up_to(warehouse, moment)
        result = rederive(
            warehouse,
            settings.home,
            close_id=close_id,
            as_of=moment,
            known_at=now.isoformat() if known_at == "now" else known_at,
            now=now,
            progress=progress,
        )
        show_rederivation(result)
        differing = _documents(result, warehouse, out, settings.documents) if out is not None else 0
    if differing or not result.is_equal:
        raise SystemExit(1)


def show_rederivation(result: Rederivation) -> None:
    """Print what came out: of a past close the invoices that differ, of the next one all of them, and who waits."""
    if result.is_past and result.is_equal:
        rows = sum(count for count, _ in result.derived.values())
        console.print(
            f"Close {result.scope.close_id} came out again to the byte: {plural(rows, 'row')}, every hash as recorded."
        )
        return
    if result.is_past:
        tables = sorted(
            {
                table
                for organization, table in result.recorded.keys() | result.derived.keys()
                if result.recorded.get((organization, table)) != result.derived.get((organization, table))
            }
        )
        console.print(f"Close {result.scope.close_id} comes out otherwise in {', '.join(tables)}.")
    else:
        console.print(f"Close {result.scope.close_id} would finalise {plural(len(result.differences), 'invoice')}.")
    table = Table("organisation", "customer", "invoice", *(("recorded", "derived") if result.is_past else ("total",)))
    for row in result.differences[:_SHOWN]:
        totals = (row.recorded_total_cents, row.derived_total_cents)
        amounts = [
            "" if cents is None else f"{amount_text(cents, row.exponent)} {row.currency}"
            for cents in (totals if result.is_past else totals[1:])
        ]
        table.add_row(row.organization_id, row.external_customer_id, row.number or "", *amounts)
    if result.differences:
        console.print(table)
    elif result.is_past:
        console.print("No invoice differs.")
    if len(result.differences) > _SHOWN:
        console.print(f"and {plural(len(result.differences) - _SHOWN, 'more invoice')}")
    if result.held and not result.is_past:
        console.print(f"{plural(len(result.held), 'customer')} would wait:")
        for words in held_texts(result.held):
            console.print(f"  {words}", markup=False)


def _documents(result: Rederivation, warehouse: Warehouse, out: Path, documents_dir: Path) -> int:
    """Write the documents that came out; returns how many differ from the ones on record."""
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        found = reproduced_documents(result, warehouse, store, out_dir=out, documents_dir=documents_dir)
    if found.as_issued_count:
        made = plural(found.as_issued_count, "document was", "documents were")
        console.print(f"{made} made by another version of the renderer and given as issued")
    console.print(
        f"{plural(found.equal_count, 'document equals', 'documents equal')} those on record, "
        f"{plural(found.differing_count, 'differs', 'differ')}; written to {out}"
    )
    return found.differing_count
