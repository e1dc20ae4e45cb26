"""The command line: files of invoice data to files of documents."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from invoice_renderer._bulk import FORMATS, render_many
from invoice_renderer._document import Invoice
from invoice_renderer._exceptions import InvoiceDataError, InvoiceRendererError, LocaleError
from invoice_renderer._load import load_invoice


def main(arguments: Sequence[str] | None = None) -> int:
    """Render invoices from JSON files and give the exit code.

    0: all written; 1: a document could not be made; 2: the arguments or the data are wrong.
    """
    parser = argparse.ArgumentParser(
        prog="python -m invoice_renderer",
        description="Render invoices, given as JSON files of one invoice each.",
    )
    parser.add_argument("invoices", nargs="+", type=Path, metavar="INVOICE.json")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--format", default="pdf", metavar="LIST", help=f"of {', '.join(FORMATS)}; default pdf")
    parser.add_argument("--processes", default=1, type=int, metavar="N")
    options = parser.parse_args(arguments)
    formats = tuple(options.format.split(","))
    if unknown := sorted(set(formats) - set(FORMATS)):
        parser.error(f"unknown format {', '.join(unknown)}: choose from {', '.join(FORMATS)}")
    try:
        invoices = [_read(path) for path in options.invoices]
        paths = render_many(invoices, options.out, formats=formats, processes=options.processes)
    except (InvoiceDataError, LocaleError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (InvoiceRendererError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in paths)
    return 0


def _read(path: Path) -> Invoice:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvoiceDataError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvoiceDataError(f"{path}: expected one invoice, an object; got {type(data).__name__}")
    return load_invoice(data)
