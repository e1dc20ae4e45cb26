"""Arrow arrays from Python values by their buffers: pyarrow's own conversion imports pandas, half a second a process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def text_array(values: Sequence[str | None]) -> pa.StringArray:
    """Texts, or nulls. Raises UnicodeEncodeError for half of a surrogate pair, OverflowError for more than 2 GiB."""
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    if offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError("an Arrow array of texts holds at most 2 GiB")
    valid = np.packbits(np.array([value is not None for value in values], dtype=bool), bitorder="little")
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded)), pa.py_buffer(valid)
    )


def integer_array(values: Sequence[int] | npt.NDArray[np.integer[Any]]) -> pa.Int64Array:
    """Integers of 64 bits, none null."""
    numbers = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def table_of(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """A table of texts and integers, one row a sequence."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [
        text_array(column) if field.type == pa.string() else integer_array(column)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
