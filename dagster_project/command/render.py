"""`meterhouse render`: make the documents of committed invoices again."""

from datetime import UTC, datetime
from pathlib import Path

import click

from dagster_project.command._options import (
    ConsoleProgress,
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.close import render_documents
from dagster_project.lib.errors import InputError
from dagster_project.lib.ledger import find_invoice, issued_invoice_ids, void_document_ids
from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import warehouse_lock
from dagster_project.lib.words import plural


@click.command(short_help="Make the documents of committed invoices again.")
@click.argument("numbers", nargs=-1, metavar="[INVOICE_NUMBER]...")
@click.option("--all", "everything", is_flag=True, help="Every committed invoice.")
@warehouse_option
@click.option("--out", type=click.Path(path_type=Path), help="Where documents are written.")
def render(numbers: tuple[str, ...], everything: bool, warehouse_location: str | None, out: Path | None) -> None:
    """Give PDF, HTML and JSON of committed invoices: as they were issued, or, where they are lost, made again to the byte."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    if not numbers and not everything:
        raise click.UsageError("Give invoice numbers, or --all.")
    require_warehouse(warehouse)
    with (
        warehouse_lock(warehouse, purpose="render"),
        open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store,
    ):
        with warehouse.connect(read_only=True) as session:
            wanted = issued_invoice_ids(session) + void_document_ids(session) if everything else []
            for number in numbers:
                found = find_invoice(session, number)
                if not found:
                    raise InputError(f"There is no invoice {number} in {warehouse}.")
                wanted += found
        count = render_documents(
            warehouse,
            store,
            out_dir=(out or settings.documents).resolve(),
            documents_dir=settings.documents,
            now=datetime.now(UTC),
            progress=ConsoleProgress(),
            invoice_ids=wanted,
        )
    console.print(f"{plural(count, 'invoice')} rendered to {out or settings.documents}")
