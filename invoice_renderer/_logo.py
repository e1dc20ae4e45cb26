"""Logos: images that travel inside the document, so that nothing is ever fetched."""

import base64
import re

from invoice_renderer._exceptions import InvoiceDataError

_IMAGE_TYPES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
)
_DATA_URI = re.compile(r"data:image/(png|jpeg|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}")


def logo_data_uri(image: bytes) -> str:
    """Wrap a PNG, JPEG or SVG image as the ``data:`` URI that `Party.logo` takes.

    Raises:
        InvoiceDataError: the bytes start like none of the three.
    """
    for start, image_type in _IMAGE_TYPES:
        if image.startswith(start):
            return f"data:{image_type};base64,{base64.b64encode(image).decode('ascii')}"
    raise InvoiceDataError(
        f"a logo must be a PNG, JPEG or SVG image; these {len(image)} bytes start with {image[:8]!r}."
    )


def check_logo(logo: str | None, *, where: str) -> None:
    """Refuse a logo that is not an image inside a base64 ``data:`` URI.

    Raises:
        InvoiceDataError: it is anything else, such as an address on the network.
    """
    if logo is not None and not _DATA_URI.fullmatch(logo):
        raise InvoiceDataError(
            f"{where}: a logo is given as data:image/png, image/jpeg or image/svg+xml in base64, "
            f"never as an address; got {logo[:40]!r}."
        )
