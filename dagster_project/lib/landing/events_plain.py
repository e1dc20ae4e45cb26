"""Plain lines of files as columns: what the scanner took from them, held until there is enough to be stored at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dagster_project.lib.landing import events_scanner as scanner
from dagster_project.lib.landing.events_layouts import EventLayout
from dagster_project.lib.landing.events_lines import lines_of

# what is stored at once: whole groups of rows, as DuckDB stores them, of lines of 250 bytes
_ROWS = 3 * 122_880
_BYTES = 250 * _ROWS
# of a filter: 256 MB
_MOST_WORDS = 1 << 25
_DECIMAL = pa.decimal128(27, 12)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CodeTable:
    """What the catalogue reads of the event codes of an organisation, as the scanner looks it up."""

    texts: npt.NDArray[np.uint8]
    layouts: Numbers
    facets: Numbers
    slots: Numbers


def code_table(layouts: Sequence[EventLayout], left_codes: Collection[str]) -> CodeTable:
    """The table of the layouts of one organisation; events of `left_codes` are left to the careful reading."""
    texts = bytearray()

    def span(text: str) -> tuple[int, int]:
        encoded = text.encode()
        texts.extend(encoded)
        return len(texts) - len(encoded), len(encoded)

    wanted = {layout.event_code: layout for layout in layouts}
    codes = [*wanted, *(code for code in left_codes if code not in wanted)]
    rows: list[tuple[int, ...]] = []
    facets: list[tuple[int, int]] = []
    for code in codes:
        layout = wanted.get(code)
        measured = None if layout is None else layout.measured_field
        keys = () if layout is None else layout.facet_keys
        is_counted = layout is not None and layout.is_counted and measured is not None
        rows.append(
            (
                *span(code),
                -1 if layout is None or layout.layout_id is None else layout.layout_id,
                *(span(measured) if measured is not None else (0, -1)),
                is_counted,
                len(facets),
                len(keys),
                code in left_codes,
            )
        )
        facets += [span(key) for key in keys]
    slots = np.full(1 << (2 * len(codes)).bit_length(), -1, dtype=np.int64)
    for place, code in enumerate(codes):
        slot = scanner.slot_of(code.encode(), len(slots))
        while slots[slot] >= 0:
            slot = (slot + 1) % len(slots)
        slots[slot] = place
    texts.extend(bytes(scanner.PADDING))
    return CodeTable(
        np.frombuffer(bytes(texts), dtype=np.uint8),
        np.array(rows, dtype=np.int64).reshape(-1, 9),
        np.array(facets, dtype=np.int64).reshape(-1, 2),
        slots,
    )


class KnownIds:
    """Which ids of events may be known, by their hashes: a filter that never takes a known one for a new one.

    Sixteen bits for each hash let few new ones be taken for known ones; where there is no room for these, more of them.
    """

    def __init__(self, count: int) -> None:
        """Make room for so many hashes."""
        words = min(1 << max(count // 4, 1).bit_length(), _MOST_WORDS)
        self._words = np.zeros(words, dtype=np.uint64)

    def has_room(self, count: int) -> bool:
        """Whether a larger filter would be of no use for so many hashes."""
        return len(self._words) >= min(count // 4, _MOST_WORDS)

    def note(self, hashes: Numbers) -> npt.NDArray[np.uint8]:
        """Note hashes; 1 for each that may be known, or be there before, else 0."""
        seen = np.empty(len(hashes), dtype=np.uint8)
        scanner.note_hashes(hashes, self._words, seen)
        return seen


class PlainLines:
    """The rows of plain lines; the memory in which they lie is used again after `clear`."""

    def __init__(self) -> None:
        """Take some memory."""
        self._codes: Mapping[str, CodeTable] = {}
        self._names: bytes = b""
        self._name_views: Mapping[str, npt.NDArray[np.uint64]] = {}
        self._data = np.empty(_BYTES + scanner.PADDING, dtype=np.uint8)
        # memory that is not written costs nothing
        self._text = np.empty(2 * _BYTES, dtype=np.uint8)
        self._numbers, self._moments, self._layout_ids, self._file_ids = np.empty((4, _ROWS), dtype=np.int64)
        self._views = np.empty((6, _ROWS, 2), dtype=np.uint64)
        self._organizations = np.empty((_ROWS, 2), dtype=np.uint64)
        self._quantities = np.empty((_ROWS, 2), dtype=np.uint64)
        self._marks = np.empty((5, _ROWS), dtype=np.uint8)
        self._left = np.empty(0, dtype=np.uint8)
        self._left_numbers = np.empty(0, dtype=np.int64)
        self.clear()

    def start(self, codes: Mapping[str, CodeTable]) -> None:
        """Prepare for events of the organisations of `codes`."""
        self._codes = codes
        self._names, self._name_views = _name_views(codes)
        self.clear()

    def clear(self) -> None:
        """Forget the rows."""
        self.count = self._data_end = self._text_end = 0

    def add(
        self, lines: memoryview, number: int, *, file_id: int, organization_id: str
    ) -> tuple[int, int, list[pa.RecordBatch]]:
        """Add the plain ones of whole lines, of which the first has a number.

        Returns how many bytes were scanned, less than all when there is no room for more, the number of the line after them,
        and what is left of them for the careful reading.
        """
        start, first = self._data_end, self.count
        stop = start + len(lines)
        if stop + scanner.PADDING > len(self._data):
            return 0, number, []
        self._data[start:stop] = lines
        if len(self._left) < len(lines):
            self._left = np.empty(len(lines), dtype=np.uint8)
            self._left_numbers = np.empty(len(lines), dtype=np.int64)
        codes = self._codes[organization_id]
        self._data_end, number, self.count, self._text_end, left_count, left_end = scanner.scan(
            self._data, start, stop, number, first, self._text_end,
            codes.texts, codes.layouts, codes.facets, codes.slots,
            self._numbers, self._moments, self._layout_ids, self._views, self._quantities, self._marks, self._text,
            self._left, self._left_numbers,
        )  # fmt: skip
        self._file_ids[first : self.count] = file_id
        self._organizations[first : self.count] = self._name_views[organization_id]
        scanned = self._data_end - start
        if not left_count:
            return scanned, number, []
        left = self._left[:left_end]
        ends = np.flatnonzero(left == 10)
        starts = np.concatenate(([0], ends[:-1] + 1))
        return scanned, number, list(lines_of(left.tobytes(), starts, ends, self._left_numbers[:left_count].copy()))

    def table(self, rows: Numbers | None = None, **more: pa.Array) -> pa.Table:
        """The rows, or some of them, with more columns: valid until they are cleared, as texts are views of what was read."""
        chosen = slice(self.count) if rows is None else rows
        count = self.count if rows is None else len(rows)
        texts = [pa.py_buffer(self._data), pa.py_buffer(self._text), pa.py_buffer(self._names)]

        def bits(mark: int | None) -> pa.Buffer | None:
            return None if mark is None else pa.py_buffer(np.packbits(self._marks[mark, chosen], bitorder="little"))

        def column(values: npt.NDArray[np.generic], type_: pa.DataType, mark: int | None = None) -> pa.Array:
            return pa.Array.from_buffers(type_, count, [bits(mark), pa.py_buffer(values[chosen])])

        def view(values: npt.NDArray[np.uint64], mark: int | None = None) -> pa.Array:
            return pa.Array.from_buffers(pa.string_view(), count, [bits(mark), pa.py_buffer(values[chosen]), *texts])

        views = self._views
        return pa.table(
            {
                "file_id": column(self._file_ids, pa.int64()),
                "line_number": column(self._numbers, pa.int64()),
                "organization_id": view(self._organizations),
                "external_subscription_id": view(views[scanner.SUBSCRIPTION]),
                "transaction_id": view(views[scanner.TRANSACTION]),
                "code": view(views[scanner.CODE]),
                "event_at": column(self._moments, pa.timestamp("us")),
                "properties": view(views[scanner.PROPERTIES]),
                "layout_id": column(self._layout_ids, pa.int64(), scanner.HAS_LAYOUT),
                "quantity": column(self._quantities, _DECIMAL, scanner.HAS_QUANTITY),
                "item": view(views[scanner.ITEM], scanner.HAS_ITEM),
                "is_remove": pa.Array.from_buffers(
                    pa.bool_(), count, [bits(scanner.HAS_ITEM), bits(scanner.IS_REMOVE)]
                ),
                "facets": view(views[scanner.FACETS], scanner.HAS_FACETS),
                **more,
            }
        )


def _name_views(names: Collection[str]) -> tuple[bytes, dict[str, npt.NDArray[np.uint64]]]:
    """The text of some names, and a view of each."""
    text = b""
    views = {}
    for name in names:
        encoded = name.encode()
        rest = (
            encoded if len(encoded) <= 12 else encoded[:4] + (2).to_bytes(4, "little") + len(text).to_bytes(4, "little")
        )
        views[name] = np.frombuffer(len(encoded).to_bytes(4, "little") + rest.ljust(12, b"\0"), dtype=np.uint64)
        text += encoded
    return text, views
