"""`meterhouse reproduce`: derive a past close again, without touching the ledger."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import (
    ConsoleProgress,
    chosen_warehouse,
    console,
    held_texts,
    warehouse_option,
)
from dagster_project.lib.close import Rederivation, parse_time, rederive
from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import Warehouse, warehouse_lock
from dagster_project.lib.words import amount_text, plural

_SHOWN = 30


@click.command(short_help="Derive a past close again and compare to the byte.")
@click.argument("close_id", type=int, metavar="CLOSE")
@click.option(
    "--as-of", metavar="TIME", help="Bill up to another time than the close did, not before the close before it."
)
@click.option(
    "--known-at", metavar="CLOSE_OR_TIME", help="Know what another close, or a time, knew (`now`: everything)."
)
@warehouse_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the documents that come out, and compare them.")
@click.option("--wait", default=0.0, show_default=True, metavar="SECONDS", help="Wait for a busy warehouse.")
def reproduce(
    close_id: int,
    as_of: str | None,
    known_at: str | None,
    warehouse_location: str | None,
    out: Path | None,
    wait: float,
) -> None:
    """Derive a past close again from what it knew, or from what is known now, and compare to the byte."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    if not warehouse.exists():
        raise InputError(f"There is no warehouse at {warehouse}. Run `meterhouse close --book DIR` first.")
    progress = ConsoleProgress()
    now = datetime.now(UTC)
    with warehouse_lock(warehouse, purpose="reproduce", timeout_seconds=wait, waiting=progress.note):
        result = rederive(
            warehouse,
            settings.home,
            close_id=close_id,
            as_of=parse_time(as_of, "--as-of") if as_of is not None else None,
            known_at=now.isoformat() if known_at == "now" else known_at,
            now=now,
            progress=progress,
        )
        show_rederivation(result)
        differing = _documents(result, warehouse, out) if out is not None else 0
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


def _documents(result: Rederivation, warehouse: Warehouse, out: Path) -> int:
    """Write the documents that came out; returns how many differ from the ones on record."""
    from invoice_renderer import FORMATS, file_name, load_invoice, render_many

    by_organization: dict[str, list[int]] = {}
    for place, invoice in enumerate(result.invoices):
        by_organization.setdefault(invoice.organization_id, []).append(place)
    with open_store(warehouse.operations_url) as store:
        recorded = {(row.invoice_id, row.format): row.sha256 for row in store.documents()}
    equal = differing = 0
    for organization_id, places in by_organization.items():
        directory = out / file_name(organization_id)
        render_many([load_invoice(result.invoices[place].document) for place in places], directory, formats=FORMATS)
        for place in places:
            invoice = result.invoices[place]
            for format_ in FORMATS:
                content = (directory / f"{file_name(invoice.number)}.{format_}").read_bytes()
                known = recorded.get((invoice.invoice_id, format_))
                if known == hashlib.sha256(content).hexdigest():
                    equal += 1
                elif known is not None:
                    differing += 1
    console.print(
        f"{plural(equal, 'document equals', 'documents equal')} those on record, "
        f"{plural(differing, 'differs', 'differ')}; written to {out}"
    )
    return differing
