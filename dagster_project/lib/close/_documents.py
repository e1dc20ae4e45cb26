"""The documents of committed invoices: rendered once, recorded with their hash, made again only when lost.

A document is recorded by its place in the folder of documents, so that warehouse and documents can be moved or copied; one
that was written elsewhere (`--out`), by its absolute path.
"""

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from dagster_project.lib.close._rederive import Rederivation
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.ledger import VOID, IssuedInvoice, issued_invoice_ids, issued_invoices, void_document_ids
from dagster_project.lib.operations import Document, OperationsStore
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Warehouse

_CHUNK = 400
# documents on record by the id of their invoice (of its void) and their format
_Recorded = Mapping[tuple[str, str], Document]


class ReproducedDocuments(NamedTuple):
    """Of the documents on record: how many came out equal, are given as they were issued, and differ."""

    equal_count: int
    as_issued_count: int
    differing_count: int


def document_file(document: Document, documents_dir: Path) -> Path:
    """Where the file of a document on record is.

    Earlier versions recorded absolute paths only: their files are looked for in the folder of documents first.
    """
    inside = documents_dir / _place(document)
    return inside if inside.is_file() or not Path(document.path).is_absolute() else Path(document.path)


def is_as_issued(document: Document, documents_dir: Path) -> bool:
    """Whether the file of a document is there, byte by byte as it was issued."""
    path = document_file(document, documents_dir)
    return path.is_file() and _sha256(path) == document.sha256


def render_documents(
    warehouse: Warehouse,
    store: OperationsStore,
    *,
    out_dir: Path,
    documents_dir: Path,
    now: datetime,
    progress: Progress,
    invoice_ids: Sequence[str] | None = None,
) -> int:
    """Make PDF, HTML and JSON of the committed invoices that have no documents yet; returns how many.

    A voided invoice keeps its documents; others that say that it is void stand in a folder `voided` beside them.

    With `invoice_ids` it is these invoices: documents that are there as they were issued, by whatever version, are given so
    (copied where `out_dir` is another folder), others made again. Each document is recorded with its sha256 in the
    operations store. Raises BillingError when one that was lost comes out otherwise than the one on record; it is taken away.
    """
    from invoice_renderer import FORMATS

    recorded = _recorded(store)
    if invoice_ids is None:
        store.place_documents(_found_inside(recorded, documents_dir))
        with warehouse.connect(read_only=True) as session:
            wanted = issued_invoice_ids(session) + void_document_ids(session)
        kept = {key for key, document in recorded.items() if document_file(document, documents_dir).exists()}
    else:
        wanted = list(dict.fromkeys(invoice_ids))
        asked = [recorded[key, format_] for key in wanted for format_ in FORMATS if (key, format_) in recorded]
        as_issued = [document for document in asked if is_as_issued(document, documents_dir)]
        _give(as_issued, out_dir=out_dir, documents_dir=documents_dir)
        kept = {(document.invoice_id, document.format) for document in as_issued}
    # only what is lost is made, so that the other documents of its invoice stay as they were issued
    lost: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key in wanted:
        if formats := tuple(format_ for format_ in FORMATS if (key, format_) not in kept):
            lost[formats].append(key)
    count = sum(map(len, lost.values()))
    done = 0
    for formats, keys in lost.items():
        for begin in range(0, len(keys), _CHUNK):
            with warehouse.connect(read_only=True) as session:
                chunk = issued_invoices(session, keys[begin : begin + _CHUNK])
            made = []
            for invoice, format_, path in _rendered(chunk, out_dir, formats):
                document = Document(
                    invoice_id=invoice.document_id,
                    organization_id=invoice.organization_id,
                    number=invoice.number,
                    format=format_,
                    path=_recorded_path(path, documents_dir),
                    sha256=_sha256(path),
                    bytes=path.stat().st_size,
                    recorded_at=now,
                )
                known = recorded.get((document.invoice_id, format_))
                if known is not None and known.sha256 != document.sha256:
                    path.unlink()
                made.append(document)
            store.record_documents(made)
            done += len(chunk)
            progress.advanced(done, count, "invoices")
    return count if invoice_ids is None else len(wanted)


def reproduced_documents(
    result: Rederivation, warehouse: Warehouse, store: OperationsStore, *, out_dir: Path, documents_dir: Path
) -> ReproducedDocuments:
    """Write the documents of a close that was derived again, and compare them with those on record.

    Where an invoice came out as it is in the ledger, but another version of the renderer made its document, the document is
    given as it was issued.
    """
    from invoice_renderer import FORMATS

    recorded = _recorded(store)
    counts = [0, 0, 0]
    for begin in range(0, len(result.invoices), _CHUNK):
        chunk = result.invoices[begin : begin + _CHUNK]
        unchanged = _unchanged(chunk, warehouse)
        for invoice, format_, path in _rendered(chunk, out_dir, FORMATS):
            document = recorded.get((invoice.document_id, format_))
            if document is None:
                continue
            if _sha256(path) == document.sha256:
                counts[0] += 1
            elif invoice.document_id in unchanged and is_as_issued(document, documents_dir):
                shutil.copyfile(document_file(document, documents_dir), path)
                counts[1] += 1
            else:
                counts[2] += 1
    return ReproducedDocuments(*counts)


def check_other_folder(out_dir: Path, documents_dir: Path) -> None:
    """Raise InputError when what is written to `out_dir` could replace documents that were issued."""
    out, issued = out_dir.resolve(), documents_dir.resolve()
    if out.is_relative_to(issued) or issued.is_relative_to(out):
        raise InputError(
            f"--out {out_dir}: the documents that were issued are in {documents_dir}. Give another folder."
        )


def _recorded(store: OperationsStore) -> _Recorded:
    return {(document.invoice_id, document.format): document for document in store.documents()}


def _place(document: Document) -> Path:
    """The place of a document's file in a folder of documents."""
    path = Path(document.path)
    if not path.is_absolute():
        return path
    return Path(*path.parts[-3 if document.invoice_id.endswith(VOID) else -2 :])


def _recorded_path(path: Path, documents_dir: Path) -> str:
    """What is recorded of a file's place: relative to the folder of documents when it lies in it."""
    file, folder = path.resolve(), documents_dir.resolve()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def _found_inside(recorded: _Recorded, documents_dir: Path) -> list[Document]:
    """What earlier versions recorded by absolute paths and lies in the folder of documents, by its place there."""
    inside = [
        replace(document, path=_place(document).as_posix())
        for document in recorded.values()
        if Path(document.path).is_absolute()
    ]
    return [document for document in inside if is_as_issued(document, documents_dir)]


def _give(documents: Iterable[Document], *, out_dir: Path, documents_dir: Path) -> None:
    """Copy documents to `out_dir`, where they are not there already."""
    for document in documents:
        source, target = document_file(document, documents_dir), out_dir / _place(document)
        if source.resolve() != target.resolve():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _unchanged(chunk: Sequence[IssuedInvoice], warehouse: Warehouse) -> set[str]:
    """The ids of the documents of invoices that are in the ledger as they are here."""
    with warehouse.connect(read_only=True) as session:
        there = {*issued_invoice_ids(session), *void_document_ids(session)}
        ledger = issued_invoices(session, [row.document_id for row in chunk if row.document_id in there])
    here = {row.document_id: (row.fields, row.logo) for row in chunk}
    return {row.document_id for row in ledger if here[row.document_id] == (row.fields, row.logo)}


def _rendered(
    chunk: Sequence[IssuedInvoice], out_dir: Path, formats: Sequence[str]
) -> Iterator[tuple[IssuedInvoice, str, Path]]:
    """Write the documents of invoices; each with its format and file."""
    from invoice_renderer import InvoiceRendererError, file_name, load_invoice, render_many

    by_directory: dict[tuple[str, Path], list[IssuedInvoice]] = defaultdict(list)
    for invoice in chunk:
        directory = out_dir / file_name(invoice.organization_id)
        by_directory[
            (invoice.organization_id, directory if invoice.voided_at is None else directory / "voided")
        ].append(invoice)
    for (organization_id, directory), invoices in by_directory.items():
        try:
            loaded = [load_invoice(invoice.document) for invoice in invoices]
            render_many(loaded, directory, formats=formats, processes=_processes(len(loaded)))
        except InvoiceRendererError as error:
            raise BillingError(
                f"The documents of organisation {organization_id} could not be made: {error} "
                "The ledger is committed; the next close or `meterhouse render` makes them."
            ) from error
        for invoice in invoices:
            for format_ in formats:
                yield invoice, format_, directory / f"{file_name(invoice.number)}.{format_}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _processes(count: int) -> int:
    """One process for a handful; all cores where the start of a process is paid back."""
    return 1 if count < 40 else os.cpu_count() or 1
