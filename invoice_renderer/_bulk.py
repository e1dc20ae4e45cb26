"""Many invoices to files, on several processes where that pays."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import quote

from invoice_renderer._document import Invoice
from invoice_renderer._exceptions import RenderError
from invoice_renderer._html import render_html
from invoice_renderer._json import render_json
from invoice_renderer._pdf import render_pdf

_RENDERERS: dict[str, Callable[[Invoice], bytes]] = {
    "html": lambda invoice: render_html(invoice).encode(),
    "json": render_json,
    "pdf": render_pdf,
}
FORMATS = tuple(_RENDERERS)
"""What `render_many` can write; also the suffixes of the files."""

_CHUNK = 8
# a name of 255 bytes is the most that file systems take; a format, and `.PID.part` while it is written, come behind
_MAX_NAME = 200


def file_name(text: str) -> str:
    """The name of a text, such as a number or a seller's id, as a file or a folder (without a suffix).

    Characters that are not letters, digits or ``_.-~`` are percent-encoded. What would be too long for a file system
    is cut and ends in a hash of the whole, and no name means a folder itself or the one above it.
    """
    name = quote(text, safe="")
    if name in {"", ".", ".."}:
        return name.replace(".", "%2E") or "%"
    return (
        name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 40]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    )


def render_many(
    invoices: Iterable[Invoice],
    out_dir: Path,
    *,
    formats: Collection[str] = ("pdf",),
    processes: int = 1,
) -> tuple[Path, ...]:
    """Write each invoice to ``out_dir/NUMBER.FORMAT`` and give the paths, in order.

    `file_name` says how a number is written as the name of a file. A file is there complete or not
    at all, and one that exists is replaced. With more than one process the invoices are shared out;
    each process loads WeasyPrint and the fonts once.

    Raises:
        RenderError: two invoices have the same number, or a document could not be made.
        ValueError: a format is unknown.
    """
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise ValueError(f"unknown formats {unknown}: expected some of {', '.join(FORMATS)}.")
    batch = tuple(invoices)
    counts = Counter(invoice.number for invoice in batch)
    if repeated := sorted(number for number, count in counts.items() if count > 1):
        raise RenderError(
            f"two invoices have the number {', '.join(repeated)} and would overwrite each other; "
            f"write each seller's invoices to a directory of its own."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    write = partial(_write, out_dir=out_dir, formats=tuple(formats))
    if processes <= 1 or len(batch) <= 1:
        return tuple(path for invoice in batch for path in write(invoice))
    # Not forked: the caller may run threads (a database's), and a fork of those can hang.
    with ProcessPoolExecutor(max_workers=processes, mp_context=get_context("spawn")) as pool:
        written = pool.map(write, batch, chunksize=_CHUNK)
        return tuple(path for paths in written for path in paths)


def _write(invoice: Invoice, *, out_dir: Path, formats: tuple[str, ...]) -> list[Path]:
    paths = []
    for name in formats:
        path = out_dir / f"{file_name(invoice.number)}.{name}"
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(_RENDERERS[name](invoice))
        part.replace(path)
        paths.append(path)
    return paths
