"""The documents of committed invoices: rendered once, recorded with their hash, made again only when lost."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dagster_project.lib.errors import BillingError
from dagster_project.lib.ledger import IssuedInvoice, issued_invoice_ids, issued_invoices, void_document_ids
from dagster_project.lib.operations import Document, OperationsStore
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Warehouse

_CHUNK = 400


def render_documents(
    warehouse: Warehouse,
    store: OperationsStore,
    *,
    out_dir: Path,
    now: datetime,
    progress: Progress,
    invoice_ids: Sequence[str] | None = None,
) -> int:
    """Render PDF, HTML and JSON of the committed invoices that have no documents yet; returns how many.

    A voided invoice keeps its documents; others that say that it is void stand in a folder `voided` beside them.

    With `invoice_ids` these invoices are rendered whether or not they have documents. Each document is recorded with
    its sha256 in the operations store. Raises BillingError when a document differs from the one on record.
    """
    from invoice_renderer import FORMATS

    if invoice_ids is None:
        recorded = {(row.invoice_id, row.format) for row in store.documents() if Path(row.path).exists()}
        with warehouse.connect(read_only=True) as session:
            issued = issued_invoice_ids(session) + void_document_ids(session)
        wanted = [key for key in issued if any((key, format_) not in recorded for format_ in FORMATS)]
    else:
        wanted = list(invoice_ids)
    for begin in range(0, len(wanted), _CHUNK):
        with warehouse.connect(read_only=True) as session:
            chunk = issued_invoices(session, wanted[begin : begin + _CHUNK])
        store.record_documents(_render(chunk, out_dir=out_dir, now=now))
        progress.advanced(min(begin + _CHUNK, len(wanted)), len(wanted), "invoices")
    return len(wanted)


def _render(chunk: Sequence[IssuedInvoice], *, out_dir: Path, now: datetime) -> list[Document]:
    from invoice_renderer import FORMATS, InvoiceRendererError, file_name, load_invoice, render_many

    by_directory: dict[tuple[str, Path], list[IssuedInvoice]] = defaultdict(list)
    for invoice in chunk:
        directory = out_dir / file_name(invoice.organization_id)
        by_directory[
            (invoice.organization_id, directory if invoice.voided_at is None else directory / "voided")
        ].append(invoice)
    documents = []
    for (organization_id, directory), invoices in by_directory.items():
        try:
            loaded = [load_invoice(invoice.document) for invoice in invoices]
            render_many(loaded, directory, formats=FORMATS, processes=_processes(len(loaded)))
        except InvoiceRendererError as error:
            raise BillingError(
                f"The documents of organisation {organization_id} could not be made: {error} "
                "The ledger is committed; the next close or `meterhouse render` makes them."
            ) from error
        for invoice in invoices:
            for format_ in FORMATS:
                path = directory / f"{file_name(invoice.number)}.{format_}"
                content = path.read_bytes()
                documents.append(
                    Document(
                        invoice_id=invoice.document_id,
                        organization_id=organization_id,
                        number=invoice.number,
                        format=format_,
                        path=str(path.resolve()),
                        sha256=hashlib.sha256(content).hexdigest(),
                        bytes=len(content),
                        recorded_at=now,
                    )
                )
    return documents


def _processes(count: int) -> int:
    """One process for a handful; all cores where the start of a process is paid back."""
    return 1 if count < 40 else os.cpu_count() or 1
