"""Unpacking gzip in blocks, with an end to what a small file may become."""

import zlib
from collections.abc import Iterable, Iterator

# records that differ in nothing but a counter pack to a thirtieth; gzip cannot do better than a thousandth
_MAX_RATIO = 250
# what may come out before the ratio is looked at
_FREE_BYTES = 16 << 20
# 16 + MAX_WBITS: zlib reads the header and the checksum of gzip
_GZIP = 16 + zlib.MAX_WBITS


class DamagedError(Exception):
    """The packed data is cut or corrupt, or unpacks to too much; the text says which."""


def unpacked(blocks: Iterable[bytes], *, block_bytes: int) -> Iterator[bytes]:
    """The content of a gzip file, given in blocks, in blocks of at most `block_bytes`; members may follow one another.

    Raises DamagedError when everything before the damage was given out.
    """
    unpacker = zlib.decompressobj(_GZIP)
    in_member = False
    taken = given = 0
    for packed in blocks:
        taken += len(packed)
        while packed:
            if not in_member:
                # gzip pads with zeros
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                unpacker, in_member = zlib.decompressobj(_GZIP), True
            try:
                block = unpacker.decompress(packed, block_bytes)
            except zlib.error as error:
                raise DamagedError(f"the compressed data is corrupt ({error})") from None
            given += len(block)
            if given > _FREE_BYTES + _MAX_RATIO * (taken - len(unpacker.unconsumed_tail)):
                raise DamagedError(
                    f"the compressed data unpacks to more than {_MAX_RATIO} times its size, as no records do"
                )
            if block:
                yield block
            if unpacker.eof:
                in_member, packed = False, unpacker.unused_data
            else:
                packed = unpacker.unconsumed_tail
    if in_member:
        raise DamagedError("the compressed data ends before its end: the file is cut")
