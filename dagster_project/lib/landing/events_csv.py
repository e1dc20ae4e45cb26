"""Records of a CSV file (RFC 4180: commas, quotes doubled inside quotes, line breaks allowed in quotes).

A record keeps the number of its first physical line. A text that breaks the quoting is refused line
by line until the records make sense again, so that one stray quote can never swallow a file.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from dagster_project.lib.errors import BillingError
from dagster_project.lib.landing.events_files import FileBytes
from dagster_project.lib.landing.events_lines import (
    MAX_KEPT_CHARACTERS,
    MAX_LINE_BYTES,
    byte_problem,
    shown,
)

_NEWLINE, _QUOTE, _COMMA, _RETURN = 10, 34, 44, 13
_CELL = rb'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
_RECORD = re.compile(rb"(?:%b,)*+%b\r?(?=\n|\Z)" % (_CELL, _CELL))
_OPEN_RECORD = re.compile(rb'(?:%b,)*+"(?:[^"]|"")*+\Z' % _CELL)

# (first byte, end without the line break, physical lines, problem)
_Span = tuple[int, int, int, str | None]


class CsvCutter:
    """Cuts one CSV file into records.

    `columns` are the names of its header once that was read: None without any line, and none at all
    when the header cannot be one; nothing else of such a file is given out.
    """

    def __init__(self, source: FileBytes) -> None:
        """Start before the header."""
        self.columns: tuple[str, ...] | None = None
        self._source = source

    def cut(self) -> Iterator[pa.RecordBatch]:
        """Yield line_number, line, problem and every column as text. Raises OSError."""
        number, carry = 1, b""
        # the length so far of a line that is too long to be kept; None outside of such a line
        skipped: int | None = None
        for block in self._source.blocks():
            data = block
            if skipped is not None:
                end = data.find(b"\n")
                skipped += len(data) if end < 0 else end
                if end < 0:
                    continue
                yield from self._refused(number, carry, f"line_too_long|{skipped}")
                number, carry, skipped = number + 1, b"", None
                data = data[end + 1 :]
            data = carry + data
            spans, used = _spans(data, final=False)
            batch, number = self._batch(data, spans, number)
            if batch is not None:
                yield batch
            carry = data[used:]
            if len(carry) > MAX_LINE_BYTES and b"\n" not in carry:
                carry, skipped = carry[:MAX_KEPT_CHARACTERS], len(carry)
        if skipped is not None:
            yield from self._refused(number, carry, f"line_too_long|{skipped}")
            number, carry = number + 1, b""
        damage = self._source.damage
        if damage is None and carry:
            spans, _ = _spans(carry, final=True)
            batch, number = self._batch(carry, spans, number)
            if batch is not None:
                yield batch
        elif damage is not None:
            yield from self._refused(number, carry, f"damaged_file|{damage}")

    def _refused(self, number: int, text: bytes, problem: str) -> Iterator[pa.RecordBatch]:
        """One line that cannot be read; in place of a header it makes the whole file unreadable."""
        if self.columns is None:
            self.columns = ()
        elif self.columns:
            yield self._table([], [(number, text, problem)])

    def started(self) -> Iterator[pa.RecordBatch]:
        """The batches, the first of them read already, so that `columns` is known."""
        batches = self.cut()
        first = next(batches, None)
        while first is not None and first.num_rows == 0:
            first = next(batches, None)
        return batches if first is None else _chained(first, batches)

    def _batch(self, data: bytes, spans: Sequence[_Span], number: int) -> tuple[pa.RecordBatch | None, int]:
        """The records of `data` that are not empty, and the number of the line after them."""
        good: list[tuple[int, int, int]] = []
        bad: list[tuple[int, bytes, str]] = []
        for start, end, lines, problem in spans:
            first, number = number, number + lines
            text = data[start:end] if problem or end - start <= 1 else b"-"
            if text in (b"", b"\r"):
                continue
            if self.columns is None:
                self.columns = _header(data[start:end], problem)
            elif problem:
                bad.append((first, text, problem))
            else:
                good.append((first, start, end))
        if not self.columns or not (good or bad):
            return None, number
        return self._table(*self._texts(data, good, bad)), number

    def _texts(
        self, data: bytes, good: list[tuple[int, int, int]], bad: list[tuple[int, bytes, str]]
    ) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes, str]]]:
        """The good records as bytes; those whose bytes are no text join the bad ones."""
        texts = [(number, data[start:end]) for number, start, end in good]
        suspect = b"\0" in data or not _is_text(data)
        if suspect or max((len(text) for _, text in texts), default=0) > MAX_LINE_BYTES:
            problems = [byte_problem(text) for _, text in texts]
            paired = list(zip(texts, problems, strict=True))
            bad += [(number, text, problem) for (number, text), problem in paired if problem]
            texts = [record for record, problem in paired if problem is None]
        return texts, bad

    def _table(self, good: list[tuple[int, bytes]], bad: list[tuple[int, bytes, str]]) -> pa.RecordBatch:
        columns = self.columns or ()
        names = [f"c{i}" for i in range(len(columns))]
        ragged: list[tuple[int, int]] = []

        def skip(row: pacsv.InvalidRow) -> str:
            ragged.append((row.number - 1, row.actual_columns))
            return "skip"

        body = b"\n".join(text.removesuffix(b"\r") for _, text in good)
        cells: list[pa.Array] = [pa.array([], pa.string()) for _ in names]
        if good:
            table = pacsv.read_csv(
                pa.BufferReader(body + b"\n"),
                read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(body) + 2),
                parse_options=pacsv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=skip, ignore_empty_lines=False
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
            if table.num_rows + len(ragged) != len(good):
                raise BillingError(
                    f"{self._source.path} was cut into {len(good)} records, but {table.num_rows} and "
                    f"{len(ragged)} ragged ones were read: nothing of the file was landed. "
                    "Please report this file."
                )
            cells = [table.column(name).combine_chunks() for name in names]
        wrong = {
            index: f"wrong_cell_count|{actual} cells where the header has {len(names)}" for index, actual in ragged
        }
        right = [record for index, record in enumerate(good) if index not in wrong]
        bad = bad + [(*good[index], problem) for index, problem in wrong.items()]
        numbers = [number for number, _ in right] + [number for number, _, _ in bad]
        lines = [text.decode() for _, text in right] + [shown(text) for _, text, _ in bad]
        problems = [None] * len(right) + [problem for _, _, problem in bad]
        padding = pa.nulls(len(bad), pa.string())
        return pa.record_batch(
            [
                pa.array(numbers, pa.int64()),
                pa.array(lines, pa.string()),
                pa.array(problems, pa.string()),
                *(pa.concat_arrays([cell, padding]) for cell in cells),
            ],
            names=["line_number", "line", "problem", *names],
        )


def _header(text: bytes, problem: str | None) -> tuple[str, ...]:
    """The names of the columns; none when the header cannot be one."""
    if problem or byte_problem(text):
        return ()
    try:
        names = tuple(name.strip() for name in next(csv.reader([text.decode()])))
    except csv.Error:
        # a name of more than 128 KiB
        return ()
    return names if all(names) and len(set(names)) == len(names) else ()


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _spans(data: bytes, *, final: bool) -> tuple[list[_Span], int]:
    """The records of `data` and how many bytes they take; a record that goes on is left for later."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(bytes_ == _NEWLINE)
    if final and (len(newlines) == 0 or newlines[-1] != len(data) - 1):
        newlines = np.append(newlines, len(data))
    quotes = np.flatnonzero(bytes_ == _QUOTE)
    outside = np.searchsorted(quotes, newlines) % 2 == 0
    ends = newlines[outside]
    cut = int(ends[-1]) if len(ends) else 0
    rest = len(data) - cut
    within = quotes[quotes < cut]
    if not _well_quoted(bytes_[:cut], within) or _has_lone_return(bytes_, within, cut) or rest > MAX_LINE_BYTES:
        return _spans_one_by_one(data, final=final)
    if final and len(newlines) and not outside[-1]:
        return _spans_one_by_one(data, final=final)
    lines = np.diff(np.flatnonzero(outside), prepend=-1)
    edges = [-1, *ends.tolist()]
    spans: list[_Span] = [
        (before + 1, end, count, None) for (before, end), count in zip(pairwise(edges), lines.tolist(), strict=True)
    ]
    return spans, min(edges[-1] + 1, len(data))


def _well_quoted(bytes_: np.ndarray, quotes: np.ndarray) -> bool:
    """Whether each quote opens a cell, closes one or is doubled inside of one."""
    if not len(quotes):
        return True
    padded = np.concatenate(([_NEWLINE], bytes_, [_NEWLINE]))
    before, after = padded[quotes[0::2]], padded[quotes[1::2] + 2]
    opens = np.isin(before, (_COMMA, _NEWLINE, _QUOTE)).all()
    closes = np.isin(after, (_COMMA, _NEWLINE, _RETURN, _QUOTE)).all()
    return bool(opens and closes)


def _has_lone_return(bytes_: np.ndarray, quotes: np.ndarray, cut: int) -> bool:
    """Whether a return before `cut` stands outside of quotes and before no newline: the parser would begin a row there."""
    returns = np.flatnonzero(bytes_[:cut] == _RETURN)
    lone = returns[np.append(bytes_, _NEWLINE)[returns + 1] != _NEWLINE] if len(returns) else returns
    return bool(len(lone)) and bool((np.searchsorted(quotes, lone) % 2 == 0).any())


def _spans_one_by_one(data: bytes, *, final: bool) -> tuple[list[_Span], int]:
    """As `_spans`, for a text whose quoting is broken somewhere."""
    spans: list[_Span] = []
    at = 0
    while at < len(data):
        found = _RECORD.match(data, at)
        if found is not None and (found.end() < len(data) or final):
            end = found.end()
            spans.append((at, end, data.count(b"\n", at, end) + 1, None))
        elif (
            not final
            and len(data) - at <= MAX_LINE_BYTES
            and (found is not None or _OPEN_RECORD.match(data, at) is not None)
        ):
            break
        else:
            end = data.find(b"\n", at)
            if end < 0 and not final:
                break
            end = len(data) if end < 0 else end
            spans.append((at, end, 1, "malformed_csv|"))
        at = end + 1
    return spans, min(at, len(data))
