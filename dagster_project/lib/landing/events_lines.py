"""Plain lines of a file as Arrow batches: each with its real line number, and what its bytes have wrong.

Nothing is parsed here. A batch has the columns of LINES: `problem` is null, or `code|detail` for a
line whose text cannot be given to a parser; `line` is then the beginning of its text. Empty lines
are left out and not counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dagster_project.lib.arrow import integer_array, text_array
from dagster_project.lib.landing.events_files import FileBytes

# a longer line is refused: one line can never be worth more memory than this
MAX_LINE_BYTES = 1 << 20
# how much of a refused text is kept
MAX_KEPT_CHARACTERS = 4096

LINES = pa.schema([("line_number", pa.int64()), ("line", pa.string()), ("problem", pa.string())])
_NEWLINE, _RETURN = 10, 13

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that cannot be given to a parser: the beginning of its text, and what is wrong with it."""

    text: bytes
    problem: str


@dataclass(frozen=True, slots=True)
class JoinedLines:
    """Lines that were no bytes of a file, joined; those that cannot be joined, apart: an empty line is in the place of each."""

    text: memoryview
    apart: pa.RecordBatch


def joined(batch: pa.RecordBatch) -> JoinedLines:
    """Join a batch of LINES; apart is what has a problem, a line break within, or is so long that a refusal tells its length."""
    # most landings join nothing
    import pyarrow.compute as pc

    count = batch.num_rows
    lines = batch.column("line")
    is_apart = pc.or_(batch.column("problem").is_valid(), pc.greater(pc.binary_length(lines), MAX_KEPT_CHARACTERS))

    def text_of() -> memoryview:
        kept = pa.concat_arrays([pc.if_else(is_apart, "", lines), text_array([""])])
        [text] = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, count + 1], pa.int32()), kept), "\n")
        return memoryview(text.as_buffer())

    whole = text_of()
    bytes_ = np.frombuffer(whole, dtype=np.uint8)
    if np.count_nonzero(bytes_ == _NEWLINE) > count or not bytes_.all():
        is_apart = pc.or_(is_apart, pc.match_substring_regex(lines, "[\\n\\x00]"))
        whole = text_of()
    return JoinedLines(whole, batch.filter(is_apart))


def cut_pieces(source: FileBytes) -> Iterator[memoryview | RefusedLine]:
    """Yield a file as pieces of whole lines and single refused lines; the last line may lack its line break. Raises OSError."""
    carry = b""
    # the length so far of a line that is too long to be kept; None outside of such a line
    skipped: int | None = None
    for block in source.blocks():
        start = 0
        if carry:
            # the line that the block before has begun
            start = block.find(b"\n") + 1
            if skipped is not None:
                skipped += start - 1 if start else len(block)
            if not start:
                carry += block if skipped is None else b""
            elif skipped is None:
                yield memoryview(carry + block[:start])
            else:
                yield RefusedLine(carry, f"line_too_long|{skipped}")
                skipped = None
        if start or not carry:
            end = block.rfind(b"\n") + 1
            if end > start:
                yield memoryview(block)[start:end]
            carry = block[end:]
        if skipped is None and len(carry) > MAX_LINE_BYTES:
            carry, skipped = carry[:MAX_KEPT_CHARACTERS], len(carry)
    if skipped is not None:
        yield RefusedLine(carry, f"line_too_long|{skipped}")
        carry = b""
    if source.damage is not None:
        # what was read after the last line break stands for the rest of the file
        yield RefusedLine(carry, f"damaged_file|{source.damage}")
    elif carry:
        yield memoryview(carry)


def cut_lines(source: FileBytes) -> Iterator[pa.RecordBatch]:
    """Yield the lines of a file; the last one may lack its line break. Raises OSError."""
    yield from lines_of_pieces(cut_pieces(source), 1)


def lines_of_pieces(pieces: Iterator[memoryview | RefusedLine | JoinedLines], number: int) -> Iterator[pa.RecordBatch]:
    """Yield the lines of pieces of which the first line has a number. Raises OSError."""
    for piece in pieces:
        if isinstance(piece, RefusedLine):
            yield refused(number, piece)
            number += 1
            continue
        if isinstance(piece, JoinedLines):
            yield piece.apart
            piece = piece.text
        data = bytes(piece)
        ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
        if not data.endswith(b"\n"):
            ends = np.append(ends, len(data))
        yield from _numbered(data, ends, number)
        number += len(ends)


def _numbered(data: bytes, ends: Offsets, number: int) -> Iterator[pa.RecordBatch]:
    starts = np.concatenate(([0], ends[:-1] + 1))
    yield from lines_of(data, starts, ends, np.arange(number, number + len(ends)))


def lines_of(data: bytes, starts: Offsets, ends: Offsets, numbers: Offsets) -> Iterator[pa.RecordBatch]:
    """The spans of `data` as batches; spans follow one another, parted by one line break each."""
    lengths = ends - starts
    if b"\0" not in data and not (lengths > MAX_LINE_BYTES).any():
        # the text runs up to the next one's start: its line break stays, as JSON allows
        offsets = np.append(starts, min(int(ends[-1]) + 1, len(data))).astype(np.int32)
        lines = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(data))
        if _is_utf8(lines):
            bytes_ = np.frombuffer(data, dtype=np.uint8)
            first = bytes_[np.minimum(starts, len(data) - 1)]
            empty = (lengths == 0) | ((lengths == 1) & (first == _RETURN))
            problems = pa.nulls(len(starts), pa.string())
            batch = pa.record_batch([integer_array(numbers), lines, problems], schema=LINES)
            yield batch.filter(pa.array(~empty)) if empty.any() else batch
            return
    yield _judged_one_by_one(data, starts, ends, numbers)


def refused(number: int, line: RefusedLine) -> pa.RecordBatch:
    """The batch of one refused line."""
    return _batch([number], [shown(line.text)], [line.problem])


def _batch(numbers: Sequence[int], lines: Sequence[str], problems: Sequence[str | None]) -> pa.RecordBatch:
    return pa.record_batch([integer_array(numbers), text_array(lines), text_array(problems)], schema=LINES)


def byte_problem(text: bytes) -> str | None:
    """What keeps the bytes of one line from being a text: its length, a NUL, an encoding."""
    if len(text) > MAX_LINE_BYTES:
        return f"line_too_long|{len(text)}"
    if b"\0" in text:
        return "nul_byte|"
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"invalid_utf8|{error.start + 1}"
    return None


def _judged_one_by_one(data: bytes, starts: Offsets, ends: Offsets, numbers: Offsets) -> pa.RecordBatch:
    rows: tuple[list[int], list[str], list[str | None]] = ([], [], [])
    spans = zip(starts.tolist(), ends.tolist(), numbers.tolist(), strict=True)
    for start, end, number in spans:
        text = data[start:end]
        if text in (b"", b"\r"):
            continue
        problem = byte_problem(text)
        rows[0].append(number)
        rows[1].append(shown(text) if problem else text.decode())
        rows[2].append(problem)
    return _batch(*rows)


def _is_utf8(lines: pa.StringArray) -> bool:
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def shown(text: bytes) -> str:
    """The beginning of a text that cannot be read, without what no engine can hold."""
    return text[:MAX_KEPT_CHARACTERS].decode(errors="replace").replace("\0", "\ufffd")
