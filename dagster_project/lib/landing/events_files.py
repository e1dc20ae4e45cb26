"""Reading a file of events as bytes: in blocks, hashed as it is read, unpacked, never whole in memory."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dagster_project.lib.unpacking import DamagedError, unpacked

# small enough that the allocator keeps its memory
BLOCK_BYTES = 1 << 21


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileBytes:
    """The bytes of one open file, unpacked; `sha256` and `size` (as on disk) are known at the end.

    `damage` says at the end what is wrong with a compressed file that is cut or corrupt; everything
    before that place was given out.
    """

    def __init__(self, path: Path, *, compression: str | None) -> None:
        """Open the file, so that it cannot vanish any more. Raises OSError."""
        self.path = path
        self.damage: str | None = None
        self.size = 0
        self._file: BinaryIO = path.open("rb")
        self._gzip = compression == "gzip"
        self._digest = hashlib.sha256()
        # what is appended while we read belongs to the next content of this file
        self._left = os.fstat(self._file.fileno()).st_size

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes read so far, as on disk, in hexadecimal."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks, without a byte order mark. Raises OSError."""
        first = True
        for block in self._unpacked() if self._gzip else self._stored():
            if first:
                block = block.removeprefix(b"\xef\xbb\xbf")
                first = False
            if block:
                yield block

    def _stored(self) -> Iterator[bytes]:
        while self._left > 0:
            block = self._file.read(min(BLOCK_BYTES, self._left))
            if not block:
                return
            self._left -= len(block)
            self.size += len(block)
            self._digest.update(block)
            yield block

    def _unpacked(self) -> Iterator[bytes]:
        try:
            yield from unpacked(self._stored(), block_bytes=BLOCK_BYTES)
        except DamagedError as error:
            self.damage = str(error)
            # the mark is that of the whole content
            deque(self._stored(), maxlen=0)
