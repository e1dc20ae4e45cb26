"""`meterhouse audit`: verify ledger, chain and documents."""

import click

from dagster_project.command._options import (
    ConsoleProgress,
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.audit import audit as audit_warehouse
from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import warehouse_lock
from dagster_project.lib.words import plural

_SHOWN = 20


@click.command(short_help="Prove that nothing finalised was changed since.")
@warehouse_option
@click.option("--no-documents", is_flag=True, help="Do not read the files of the documents.")
@click.option("--wait", default=0.0, show_default=True, metavar="SECONDS", help="Wait for a busy warehouse.")
def audit(warehouse_location: str | None, no_documents: bool, wait: float) -> None:
    """Prove that nothing finalised was changed since: rows, hash chain, totals kept outside, documents."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    require_warehouse(warehouse)
    progress = ConsoleProgress()
    with (
        warehouse_lock(warehouse, purpose="audit", timeout_seconds=wait, waiting=progress.note),
        open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store,
    ):
        report = audit_warehouse(
            warehouse, store, progress=progress, documents_dir=None if no_documents else settings.documents
        )
    console.print(
        f"{plural(report.closes_count, 'close')}, {plural(report.rows_count, 'row')} of the ledger and "
        f"{plural(report.documents_count, 'document')} verified"
    )
    if report.unsealed_count:
        unsealed = plural(report.unsealed_count, "close was", "closes were")
        console.print(f"{unsealed} made by a version without seals and not covered")
    if not report.wrong:
        console.print("[green]Everything is as it was finalised.[/green]")
        return
    for number, row in enumerate(report.wrong[:_SHOWN]):
        place = f"close {row.close_id}, organisation {row.organization_id}, " if row.close_id is not None else ""
        subject = f"{row.relation} {row.row_key}".strip(" |")
        lead = "First wrong row" if number == 0 else "also"
        console.print(f"{lead}: {place}{subject}: {row.finding}", markup=False)
    if len(report.wrong) > _SHOWN:
        console.print(f"and {len(report.wrong) - _SHOWN} more")
    console.print("Restore the warehouse, or the files, from a backup of before the change (docs/architecture.md).")
    raise SystemExit(1)
