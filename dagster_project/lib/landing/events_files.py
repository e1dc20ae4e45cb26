"""Reading a file of events as bytes: in blocks, hashed as it is read, unpacked, never whole in memory."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# small enough that the allocator keeps its memory
BLOCK_BYTES = 1 << 21
# 16 + MAX_WBITS: zlib reads the header and the checksum of gzip
_GZIP = 16 + zlib.MAX_WBITS


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
        unpacker = zlib.decompressobj(_GZIP)
        in_member = False
        for packed in self._stored():
            while packed and self.damage is None:
                if not in_member:
                    # gzip pads with zeros; members may follow one another
                    packed = packed.lstrip(b"\0")
                    if not packed:
                        break
                    unpacker, in_member = zlib.decompressobj(_GZIP), True
                try:
                    block = unpacker.decompress(packed, BLOCK_BYTES)
                except zlib.error as error:
                    self.damage = f"the compressed data is corrupt ({error})"
                    break
                if block:
                    yield block
                if unpacker.eof:
                    in_member, packed = False, unpacker.unused_data
                else:
                    packed = unpacker.unconsumed_tail
        if in_member and self.damage is None:
            self.damage = "the compressed data ends before its end: the file is cut"
