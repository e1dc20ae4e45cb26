"""Each source of events as lines for the parser: JSON lines, CSV, Parquet, relations, inline events."""

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from dagster_project.lib.arrow import integer_array, text_array
from dagster_project.lib.book import EventSource
from dagster_project.lib.errors import InputError
from dagster_project.lib.landing.events_csv import CsvCutter
from dagster_project.lib.landing.events_files import FileBytes, file_sha256
from dagster_project.lib.landing.events_lines import (
    LINES,
    JoinedLines,
    RefusedLine,
    cut_lines,
    cut_pieces,
    joined,
    lines_of_pieces,
    refused,
)
from dagster_project.lib.landing.events_mapping import (
    Expression,
    inexact_value,
    json_columns,
    literal,
    mapped_select,
    native_csv_line,
    native_typed_line,
    quoted,
)
from dagster_project.lib.landing.events_parser import EventParser, unreadable
from dagster_project.lib.landing.events_relations import relation_batches
from dagster_project.lib.landing.events_sql import statement, statements
from dagster_project.lib.warehouse import Session
from dagster_project.lib.words import plural

if TYPE_CHECKING:
    from dagster_project.lib.landing.events_plain import PlainLines

# so many bytes are worth the start of the scanner, half a second
SCANNED_BYTES = 64 << 20
# how much the scanner leaves before it is read
_LEFT_BYTES = 32 << 20
# what a row of Parquet, which is packed, counts for among bytes of lines, and how many are read at once
_ROW_BYTES = 200
_BATCH_ROWS = 10_240
# the bytes that are read in the time that a file takes beside its bytes
FILE_WEIGHT = 1 << 18
# how often it is told how far the reading has come
_TOLD_SECONDS = 3.0

_NEWLINE = 10
FILE_LINES = pa.schema([("file_id", pa.int64()), ("default_organization_id", pa.string()), *LINES])
PLAIN = "select *, null::varchar as raw from {stream}"


@dataclass(slots=True)
class Origin:
    """One file, relation or case, and what its reading found."""

    source: EventSource
    name: str
    format: str
    path: Path | None = None
    expressions: tuple[Expression, ...] | None = None
    file: FileBytes | None = None
    # of Parquet that can be read: the SQL of its lines, in the order of the file, and how many there are
    rows: str | None = None
    rows_count: int = 0
    file_id: int = 0
    lines_count: int = 0
    size: int = 0
    content_sha256: str = ""
    # which file lies under the path, and as of which change: while it is read, and when its content was hashed
    _state: tuple[int, ...] = ()
    hashed_state: str = ""

    @property
    def file_name(self) -> str:
        """What mappings see as `file_name`: the path below the source's folder, wherever that lies."""
        if self.path is None:
            return self.name
        root = self.source.root
        return self.path.relative_to(root).as_posix() if root is not None else self.path.name

    def open(self) -> None:
        """Open a file, so that it cannot vanish any more. Raises OSError."""
        if self.source.kind == "inline":
            text = "\n".join(self.source.lines).encode(errors="replace")
            self.content_sha256, self.size = hashlib.sha256(text).hexdigest(), len(text)
        elif self.path is not None and self.format == "parquet":
            self._state = file_state(self.path)
            self.content_sha256, self.size = file_sha256(self.path), self.path.stat().st_size
        elif self.path is not None:
            self.file = FileBytes(self.path, compression=self.source.compression)

    def close(self) -> None:
        """Close what was opened."""
        if self.file is not None:
            self.file.close()

    def require_unchanged(self) -> None:
        """Raise InputError when a file that is read by its path is not the one that was hashed any more."""
        if self._state and self.path is not None and file_state(self.path) != self._state:
            raise InputError(
                f"{self.name} was changed or replaced while it was read. Nothing of it was landed; run the command again "
                "when it is written (write files elsewhere and move them into the book)."
            )

    @property
    def is_plain(self) -> bool:
        """Whether it gives lines of events as they are, without a stream of other columns."""
        return (
            self.source.kind == "inline" or self.rows is not None or (self.format == "jsonl" and not self.expressions)
        )

    @property
    def lines_bytes(self) -> int:
        """How many bytes its lines have, or nearly."""
        return self.size if self.rows is None else _ROW_BYTES * self.rows_count

    @property
    def read_bytes(self) -> int:
        """How many bytes of it, as on disk, are read so far; of Parquet the share of the rows that are."""
        if self.file is not None:
            return self.file.size
        return self.size * self.lines_count // max(self.rows_count, self.lines_count, 1)

    @property
    def is_content(self) -> bool:
        """Whether it has a content that is taken once; a relation is read again at every landing."""
        return self.source.kind != "relation"

    def fingerprint(self) -> str:
        """The sha256 of the content, and of how it is read where that is not the file's own matter."""
        how = [self.source.organization_id, self.format, dict(self.source.mapping or {})]
        if self.source.mapping is None and self.source.organization_id is None:
            return self.content_sha256
        text = f"{self.content_sha256} {json.dumps(how, sort_keys=True, ensure_ascii=False)}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Reading:
    """How far the reading of all files has come: one line every few seconds, from any thread.

    `weight`: what the files weigh that are not known already: their bytes on disk, and FILE_WEIGHT each.
    """

    note: Callable[[str], None]
    files_count: int
    weight: int
    landed_count: int = 0
    # by file: its lines and its weight, as far as it is read
    _read: dict[int, tuple[int, int]] = field(default_factory=dict)
    _began: float = 0.0
    _told: float = 0.0

    def count(self, origin: Origin, lines_count: int = 0) -> None:
        """So many lines more of a file are read."""
        now = time.monotonic()
        if not self._read:
            self._began = self._told = now
        origin.lines_count += lines_count
        self._read[origin.file_id] = origin.lines_count, FILE_WEIGHT + origin.read_bytes
        if now - self._told >= _TOLD_SECONDS:
            self._told = now
            self.note(self._line(now - self._began))

    def _line(self, elapsed: float) -> str:
        lines_count = sum(lines for lines, _ in self._read.values())
        done = sum(weight for _, weight in self._read.values())
        return (
            f"{self.landed_count:,} of {plural(self.files_count, 'file')} landed, {lines_count:,} lines read, "
            f"{lines_count / elapsed:,.0f} a second, about {elapsed * max(self.weight - done, 0) / done:,.0f} s left"
        )


def file_state(path: Path) -> tuple[int, ...]:
    """Device, number, bytes, and the last changes of content and of anything in ns; nothing where there is no file."""
    with suppress(OSError):
        found = path.stat()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return ()


# a file, and what of its lines is to be read with care
_Rest = tuple[Origin, Iterator[pa.RecordBatch]]


def read_origins(session: Session, parser: EventParser, origins: Sequence[Origin], *, reading: Reading) -> None:
    """Parse all origins; their counts, sizes and hashes are known afterwards.

    `reading` is told every line, from any thread.
    """
    for origin in origins:
        if origin.format == "parquet":
            _open_parquet(parser, origin)
    plain = [origin for origin in origins if origin.is_plain]
    if plain:
        _read_plain(parser, plain, reading)
    for origin in origins:
        if origin.source.kind == "relation":
            _read_relation(session, parser, origin)
        elif origin.format == "csv":
            _read_csv(parser, origin, reading)
        elif origin.expressions and origin.source.kind == "file":
            _read_mapped_lines(parser, origin, reading)
        if origin.file is not None:
            origin.content_sha256, origin.size = origin.file.sha256, origin.file.size
            origin.close()
        if origin.format == "parquet":
            origin.require_unchanged()
        if origin.rows is not None:
            # as they were counted before, whoever has read them
            origin.lines_count = origin.rows_count
        reading.count(origin)


def _read_plain(parser: EventParser, origins: Sequence[Origin], reading: Reading) -> None:
    """Read JSON lines and Parquet; of many, the scanner takes those about which nothing is in doubt."""
    rest: list[_Rest] = []
    scanned = [
        origin for origin in origins if origin.source.kind == "file" and parser.knows_organization(origin.file_id)
    ]
    lines = None
    if sum(origin.lines_bytes for origin in scanned) >= SCANNED_BYTES:
        lines = parser.plain_lines([origin.file_id for origin in scanned])
    if lines is not None:
        try:
            rest = _scan(parser, scanned, lines, reading)
        except OSError as error:
            raise unreadable(error) from error
        origins = [origin for origin in origins if origin not in scanned]
    for origin in origins:
        if origin.rows is not None:
            parser.read_relation(origin.rows, file_id=origin.file_id)
        else:
            batches = _inline_batches(origin) if origin.file is None else cut_lines(origin.file)
            rest.append((origin, batches))
    if rest:
        parser.read(FILE_LINES, _plain_batches(parser, rest, reading), select=PLAIN)


def _scan(parser: EventParser, origins: Sequence[Origin], lines: "PlainLines", reading: Reading) -> list[_Rest]:
    """Scan files: plain lines are taken, those that are left wait; what of a file is not worth scanning is given back."""
    rest: list[_Rest] = []
    left: list[pa.RecordBatch] = []
    left_bytes = 0
    for origin in origins:
        number = 1
        pieces = _pieces(origin)
        for piece in pieces:
            count = origin.lines_count
            if isinstance(piece, RefusedLine):
                batches = [refused(number, piece)]
                number += 1
            elif isinstance(piece, JoinedLines):
                number, batches = _scan_piece(parser, origin, lines, piece.text, number, reading)
                batches.append(piece.apart)
            else:
                number, batches = _scan_piece(parser, origin, lines, piece, number, reading)
            taken_count = origin.lines_count - count
            left_count = sum(batch.num_rows for batch in batches)
            reading.count(origin, left_count)
            left += [_of_file(parser, origin, batch) for batch in batches]
            left_bytes += sum(batch.nbytes for batch in batches)
            if left_bytes > _LEFT_BYTES:
                parser.read(FILE_LINES, iter(left), select=PLAIN, is_held=True)
                left, left_bytes = [], 0
            if left_count > max(taken_count, 1):
                rest.append((origin, lines_of_pieces(pieces, number)))
                break
    parser.take(lines)
    if left:
        parser.read(FILE_LINES, iter(left), select=PLAIN, is_held=True)
    return rest


def _scan_piece(
    parser: EventParser, origin: Origin, lines: "PlainLines", piece: memoryview, number: int, reading: Reading
) -> tuple[int, list[pa.RecordBatch]]:
    """Scan whole lines of which the first has a number; the number after them, and what is left."""
    left: list[pa.RecordBatch] = []
    organization_id = parser.defaults[origin.file_id] or ""
    rest = piece if piece[-1] == _NEWLINE else memoryview(bytes(piece) + b"\n")
    while rest:
        before = lines.count
        scanned, number, batches = lines.add(rest, number, file_id=origin.file_id, organization_id=organization_id)
        reading.count(origin, lines.count - before)
        left += batches
        rest = rest[scanned:]
        if rest:
            parser.take(lines)
    return number, left


def _plain_batches(parser: EventParser, origins: Sequence[_Rest], reading: Reading) -> Iterator[pa.RecordBatch]:
    for origin, batches in origins:
        for batch in _counted(origin, batches, reading):
            yield _of_file(parser, origin, batch)


def _of_file(parser: EventParser, origin: Origin, batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of lines with the file that it is of, and with the file's organisation."""
    ids = integer_array(np.full(batch.num_rows, origin.file_id))
    organizations = pa.repeat(text_array([parser.defaults[origin.file_id]])[0], batch.num_rows)
    return pa.record_batch([ids, organizations, *batch.columns], schema=FILE_LINES)


def _inline_batches(origin: Origin) -> Iterator[pa.RecordBatch]:
    lines = list(origin.source.lines)
    numbers = integer_array(range(1, len(lines) + 1))
    texts = text_array(lines)
    yield pa.record_batch([numbers, texts, pa.nulls(len(lines), pa.string())], schema=LINES)


def _counted(origin: Origin, batches: Iterator[pa.RecordBatch], reading: Reading) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        reading.count(origin, batch.num_rows)
        yield batch


def _read_csv(parser: EventParser, origin: Origin, reading: Reading) -> None:
    if origin.file is None:
        return
    cutter = CsvCutter(origin.file)
    batches = _counted(origin, cutter.started(), reading)
    columns = cutter.columns
    if not columns:
        # the rest is read all the same: the mark is that of the whole content
        deque(batches, maxlen=0)
        if columns is not None:
            origin.lines_count = 1
            why = (
                origin.file.damage
                or "its first line must hold different names, none of them empty, and end with LF or CRLF"
            )
            parser.refuse(origin.file_id, 1, f"unreadable_file|{why}.")
        return
    schema = pa.schema([*LINES, *((f"c{i}", pa.string()) for i in range(len(columns)))])
    if origin.expressions is None:
        select = (
            f"select {origin.file_id} as file_id, line_number, case when problem is null then "
            f"{native_csv_line(columns)} else line end as line, line as raw, problem from {{stream}}"
        )
    else:
        cells = "".join(f", nullif(c{i}, '') as {quoted(c)}" for i, c in enumerate(columns))
        select = _mapped(origin, _stream_rows(origin, cells, columns), schema)
    parser.read(schema, batches, select=select, file_id=origin.file_id)


def _read_mapped_lines(parser: EventParser, origin: Origin, reading: Reading) -> None:
    if origin.file is None or origin.expressions is None:
        return
    paths = [path for e in origin.expressions for path in e.columns]
    own = [path for path in dict.fromkeys(paths) if path not in ("file_name", "line_number")]
    checked_lines = statement("events_json_lines", inexact=inexact_value(own))
    rows = _stream_rows(origin, json_columns(own), own).replace("{stream}", f"({checked_lines})")
    batches = _counted(origin, cut_lines(origin.file), reading)
    parser.read(LINES, batches, select=_mapped(origin, rows, LINES), file_id=origin.file_id)


def _stream_rows(origin: Origin, cells: str, columns: Sequence[str]) -> str:
    """The rows of a stream with the source's columns, and with what ours adds and it does not have."""
    added = {"file_name": literal(origin.file_name), "line_number": "line_number"}
    more = "".join(f", {sql} as {name}" for name, sql in added.items() if name not in columns)
    return (
        "select line_number as landing_number, line as landing_line, problem as landing_problem"
        f"{cells}{more} from {{stream}}"
    )


def _mapped(origin: Origin, rows: str, schema: pa.Schema) -> str:
    """The lines of a mapped stream; the types of the expressions are asked on an empty one."""
    expressions = origin.expressions or ()
    with _engine() as probe:
        for macro in statements("events_macros"):
            probe.execute(macro)
        probe.register("landing_empty", schema.empty_table())
        types = _types(probe, rows.replace("{stream}", "landing_empty"), expressions, origin.name)
    return mapped_select(rows, expressions, types, file_id=origin.file_id)


def _types(
    connection: duckdb.DuckDBPyConnection, rows: str, expressions: Sequence[Expression], name: str
) -> dict[str, str]:
    types = {}
    for expression in expressions:
        try:
            [described] = connection.execute(f"describe select {expression.sql} as v from ({rows})").fetchall()
        except duckdb.Error as error:
            raise InputError(
                f"events/sources.yaml: the expression of {expression.field}, {expression.sql!r}, does "
                f"not work for {name}: {str(error).splitlines()[0]}. Check the names of the columns."
            ) from error
        types[expression.field] = str(described[1])
    return types


def _open_parquet(parser: EventParser, origin: Origin) -> None:
    """Find the SQL of the lines of a Parquet file; one that cannot be read is refused."""
    # a name is a pattern to DuckDB, and folders are columns, unless it is told otherwise
    name = re.sub(r"([*?[])", r"[\1]", str(origin.path))
    rows = f"read_parquet({literal(name)}, file_row_number = true, hive_partitioning = false)"
    with _engine() as probe:
        try:
            described = probe.execute(f"describe select * from {rows}").fetchall()
            # every page is read once before the transaction depends on it
            [(count, _)] = probe.execute(f"select count(*), max(hash(source)) from {rows} as source").fetchall()
        except duckdb.Error as error:
            origin.lines_count = 1
            parser.refuse(origin.file_id, 1, f"unreadable_file|{str(error).splitlines()[0]}")
            return
        columns = {str(row[0]): str(row[1]) for row in described if row[0] != "file_row_number"}
        origin.rows_count = count
        if origin.expressions is None:
            origin.rows = (
                f"select {origin.file_id} as file_id, file_row_number + 1 as line_number, "
                f"{native_typed_line(columns)} as line, null::varchar as raw, null::varchar as problem from {rows}"
            )
            return
        added = {"file_name": literal(origin.file_name), "line_number": "file_row_number + 1"}
        more = "".join(f", {sql} as {name}" for name, sql in added.items() if name not in columns)
        select = (
            "select file_row_number + 1 as landing_number, null::varchar as landing_line, "
            f"null::varchar as landing_problem, * exclude (file_row_number){more} from {rows}"
        )
        types = _types(probe, select, origin.expressions, origin.name)
    origin.rows = mapped_select(select, origin.expressions, types, file_id=origin.file_id)


def _pieces(origin: Origin) -> Iterator[memoryview | RefusedLine | JoinedLines]:
    if origin.file is not None:
        yield from cut_pieces(origin.file)
    else:
        # an engine of its own: that of the warehouse lets rows change places, and changes its threads between two batches
        with _engine() as engine:
            rows = engine.sql(f"select line_number, line, problem from ({origin.rows})")
            yield from (joined(batch) for batch in rows.to_arrow_reader(_BATCH_ROWS) if batch.num_rows)


def _engine() -> duckdb.DuckDBPyConnection:
    """An engine to read files with, which keeps their order."""
    engine = duckdb.connect(config={"autoinstall_known_extensions": False})
    engine.execute("set TimeZone = 'UTC'")
    return engine


def _read_relation(session: Session, parser: EventParser, origin: Origin) -> None:
    if session.kind != "duckdb":
        fields, batches = relation_batches(session, origin.name, origin.expressions)
        columns = dict.fromkeys(fields, "VARCHAR")
        line = native_typed_line(columns, assume_utc=origin.expressions is not None)
        schema = pa.schema([("line_number", pa.int64()), *((f, pa.string()) for f in fields)])
        select = (
            f"select {origin.file_id} as file_id, line_number, {line} as line, "
            "null::varchar as raw, null::varchar as problem from {stream}"
        )
        parser.read(schema, batches, select=select, file_id=origin.file_id)
        return
    connection = parser.connection
    try:
        described = connection.execute(f"describe select * from {origin.name}").fetchall()
    except duckdb.Error as error:
        raise InputError(
            f"events/sources.yaml: the relation {origin.name} cannot be read: "
            f"{str(error).splitlines()[0]}. Check its name and that the warehouse has it."
        ) from error
    columns = {str(row[0]): str(row[1]) for row in described}
    number = "row_number() over ()"
    if origin.expressions is None:
        parser.read_relation(
            f"select {origin.file_id} as file_id, {number} as line_number, "
            f"{native_typed_line(columns)} as line, null::varchar as raw, null::varchar as problem "
            f"from {origin.name}",
            file_id=origin.file_id,
        )
        return
    added = {"file_name": literal(origin.file_name), "line_number": number}
    more = "".join(f", {sql} as {name}" for name, sql in added.items() if name not in columns)
    rows = (
        f"select {number} as landing_number, null::varchar as landing_line, "
        f"null::varchar as landing_problem, *{more} from {origin.name}"
    )
    types = _types(connection, rows, origin.expressions, origin.name)
    mapped = mapped_select(rows, origin.expressions, types, file_id=origin.file_id)
    parser.read_relation(mapped, file_id=origin.file_id)
