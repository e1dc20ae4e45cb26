"""Parsing of events, in DuckDB whatever the warehouse is: in bulk, and the doubtful ones by the judge.

After `judge_doubtful` and `apply_expressions` the temporary relations `landing_incoming` (events) and
`landing_rejected` (lines with a reason) hold every line that was read; `landing_extracted` are the events with what the
catalogue reads of them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from dagster_project.lib.arrow import integer_array, table_of
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.event_judge import EventJudge, Refusal
from dagster_project.lib.landing.events_formulas import FormulaStep, MetricFormula
from dagster_project.lib.landing.events_layouts import EventLayout, create_layouts
from dagster_project.lib.landing.events_lines import MAX_KEPT_CHARACTERS
from dagster_project.lib.landing.events_mapping import json_path, literal
from dagster_project.lib.landing.events_sql import statement, statements

if TYPE_CHECKING:
    from dagster_project.lib.landing.events_plain import KnownIds, PlainLines

# one page of doubtful lines in memory; a line has at most 1 MiB
_PAGE_ROWS = 2000
_STREAM = "landing_stream"
_LINES = "landing_lines"
# what the scanner holds at most: lines, the filter of known ids, compiled code, the batches that a file is read in
_SCANNER_BYTES = 600 << 20
# how many lines a landing transaction is expected to have
_ROOM_ROWS = 4_000_000
_JUDGED = "landing_judged"
_JUDGED_SCHEMA = pa.schema(
    [
        ("file_id", pa.int64()),
        ("line_number", pa.int64()),
        ("line", pa.string()),
        ("raw", pa.string()),
        ("problem", pa.string()),
    ]
)
_REJECTED_SCHEMA = pa.schema(
    [
        ("file_id", pa.int64()),
        ("line_number", pa.int64()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("raw_text", pa.string()),
    ]
)
_UNTYPED = "event_at is null or transaction_id is null or organization is null"
_LONG_DIGITS = "regexp_matches(property_text, '[0-9]{16}|\\.[0-9]{13}')"
_LONG_VALUE = "-?[0-9]{16,}(?:\\.[0-9]+)?|-?[0-9]+\\.[0-9]{13,}"

Quantities = Mapping[tuple[str, str], Sequence[tuple[str, str]]]


class EventParser:
    """Parses the files of one landing transaction at a time."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        organizations: Collection[str],
        quantities: Quantities,
        formulas: Sequence[MetricFormula] = (),
        events: str | None = None,
    ) -> None:
        """Prepare a connection whose time zone is UTC; `quantities` as in EventJudge.

        `events` is the warehouse's table of events where this connection has it: what is plain and new goes there at once.
        """
        self.connection = connection
        self._formulas = FormulaStep(connection, formulas)
        self._events = events
        self._batch_id = 0
        self._layouts: Sequence[EventLayout] = ()
        self._extracted: dict[str, str] = {}
        self._lines: PlainLines | None = None
        self._known: KnownIds | None = None
        self._noted_file_id = 0
        self.defaults: dict[int, str | None] = {}
        self._organizations = frozenset(organizations)
        self._judge = EventJudge(self._organizations, quantities)
        self._too_long = _too_long_quantity(quantities)
        # the text of a line is needed again when an expression fails for its event
        codes = ", ".join(map(literal, self._formulas.codes))
        self._is_kept = f"code in ({codes})" if codes else "false"
        for macro in statements("events_macros"):
            connection.execute(macro)

    def start(
        self, defaults: Mapping[int, str | None], *, batch_id: int = 0, layouts: Sequence[EventLayout] = ()
    ) -> None:
        """Begin with empty relations; `defaults` has the default organisation of each file id, `layouts` are recorded ones."""
        self._batch_id = batch_id
        self._layouts = layouts
        self._extracted = create_layouts(self.connection, layouts)
        rows = "(select * from landing_parsed where not is_doubtful)"
        for table in statements("events_tables", extracted=statement("events_extracted", rows=rows, **self._extracted)):
            self.connection.execute(table)
        only = next(iter(self._organizations)) if len(self._organizations) == 1 else None
        self.defaults = {file_id: default or only for file_id, default in defaults.items()}
        names = [[name] for name in sorted(self._organizations)]
        self._insert("landing_organizations", table_of(names, pa.schema([("organization_id", pa.string())])))
        self.connection.execute(
            "set variable landing_organizations = (select list(organization_id) from landing_organizations)"
        )

    def end(self) -> None:
        """Drop the relations, so that a commit does not keep what nobody reads any more."""
        self.connection.execute("drop view landing_incoming")
        self.connection.execute("drop view landing_extracted")
        self.connection.execute("drop table landing_parsed")
        self.connection.execute("drop table landing_rejected")

    def read(
        self,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        *,
        select: str,
        file_id: int | None = None,
        is_held: bool = False,
    ) -> None:
        """Parse a stream of batches; `select` gives file_id, line_number, line, raw and problem of it.

        With `is_held` all lines wait for the end of the landing transaction, for it is not known which ids are new.
        With `file_id` None, several files share the stream, and `select` gives default_organization_id
        as well. `{stream}` in `select` stands for the stream. Raises InputError when a file cannot be read.
        """
        failures: list[OSError | BillingError] = []
        reader = pa.RecordBatchReader.from_batches(schema, _watched(batches, failures))
        self.connection.register(_STREAM, reader)
        try:
            self._parse(select.replace("{stream}", _STREAM), file_id=file_id, is_held=is_held)
        except duckdb.Error:
            if failures and isinstance(failures[0], OSError):
                raise unreadable(failures[0]) from failures[0]
            if failures:
                raise failures[0] from None
            raise
        finally:
            # a transaction that failed takes the name of the stream with it
            with suppress(duckdb.TransactionException):
                self.connection.unregister(_STREAM)

    def knows_organization(self, file_id: int) -> bool:
        """Whether events of a file that name no organisation have one."""
        return self.defaults[file_id] in self._organizations

    def plain_lines(self, file_ids: Collection[int]) -> "PlainLines | None":
        """What takes the plain lines of files whose organisations are known; None where it cannot be compiled."""
        try:
            from dagster_project.lib.landing.events_plain import PlainLines, code_table
        except (ImportError, OSError, RuntimeError):
            return None
        if self._lines is None:
            self._lines = PlainLines()
            self._leave_memory()
        self._lines.start(
            {
                organization: code_table(
                    [layout for layout in self._layouts if layout.organization_id == organization],
                    self._formulas.codes,
                )
                for organization in sorted(filter(None, {self.defaults[file_id] for file_id in file_ids}))
            }
        )
        if self._events is not None:
            self._note_known(min(self.defaults))
        return self._lines

    def _leave_memory(self) -> None:
        """Let the engine hold less, by what the scanner holds; who opened it gives it back."""
        [(limit,)] = self.connection.execute(
            "select parse_formatted_bytes(current_setting('memory_limit'))::bigint"
        ).fetchall()
        self.connection.execute(f"set memory_limit = '{max(limit // 2, limit - _SCANNER_BYTES)}B'")

    def _note_known(self, next_file_id: int) -> None:
        """Bring the filter of known ids up to the events that are in the warehouse."""
        from dagster_project.lib.landing.events_plain import KnownIds

        [(count,)] = self.connection.execute(f"select count(*) from {self._events}").fetchall()
        if self._known is None or not self._known.has_room(count + _ROOM_ROWS):
            self._known, self._noted_file_id = KnownIds(2 * (count + _ROOM_ROWS)), 0
        since = f"where file_id >= {self._noted_file_id}" if self._noted_file_id else ""
        for batch in self.connection.sql(f"select key_hash from {self._events} {since}").to_arrow_reader():
            self._known.note(batch.column(0).to_numpy())
        self._noted_file_id = next_file_id

    def take(self, lines: "PlainLines") -> None:
        """Take plain lines, and clear them."""
        self.connection.register(_LINES, lines.table())
        try:
            # one thread fills whole groups of rows; of two, each leaves one that has to be stored again
            self.connection.execute("set threads = 1")
            self.connection.execute("set preserve_insertion_order = true")
            hashes = self.connection.execute(statement("events_scanned_hashes", lines=_LINES)).fetchnumpy()["key_hash"]
            self.connection.execute("set preserve_insertion_order = false")
            known = np.ones(len(hashes), dtype=np.uint8) if self._known is None else self._known.note(hashes)
            if self._events is not None:
                table = lines.table(key_hash=integer_array(hashes), is_known=integer_array(known))
                self.connection.register(_LINES, table)
                self.connection.execute(
                    statement("events_scanned_new", lines=_LINES, events=self._events, batch_id=self._batch_id)
                )
            rows = np.flatnonzero(known)
            self.connection.register(_LINES, lines.table(rows, key_hash=integer_array(hashes[rows])))
            self.connection.execute(statement("events_scanned_known", lines=_LINES))
        finally:
            # a transaction that failed takes the name of the stream with it
            with suppress(duckdb.TransactionException):
                self.connection.execute("reset threads")
                self.connection.unregister(_LINES)
        lines.clear()

    def read_relation(self, select: str, *, file_id: int) -> None:
        """Parse what `select` gives: file_id, line_number, line, raw and problem."""
        self._parse(select, file_id=file_id)

    def refuse(self, file_id: int, line_number: int, problem: str) -> None:
        """One line, or a whole file, that cannot be given to the parser."""
        row = (file_id, line_number, "", None, problem)
        self.read(
            _JUDGED_SCHEMA,
            iter(table_of([row], _JUDGED_SCHEMA).to_batches()),
            select="select * from {stream}",
            file_id=file_id,
        )

    def judge_doubtful(self) -> dict[int, int]:
        """Judge the doubtful lines one by one; the number of empty lines by file. Raises BillingError when lines were lost."""
        [(count,)] = self.connection.execute("select count(*) from landing_parsed where is_doubtful").fetchall()
        blanks: dict[int, int] = {}
        if not count:
            return blanks
        self.connection.execute(
            "create or replace temp table landing_doubtful as "
            "select row_number() over () as place, file_id, line_number, line, raw, problem "
            "from landing_parsed where is_doubtful"
        )
        self.connection.execute("delete from landing_parsed where is_doubtful")
        for first in range(1, count + 1, _PAGE_ROWS):
            page = self.connection.execute(
                "select file_id, line_number, line, raw, problem from landing_doubtful where place >= ? and place < ?",
                [first, first + _PAGE_ROWS],
            ).fetchall()
            self._judge_page(page, blanks)
        self.connection.execute("drop table landing_doubtful")
        [(left,)] = self.connection.execute("select count(*) from landing_parsed where is_doubtful").fetchall()
        if left:
            raise BillingError(
                f"{left} judged lines of events could not be read back: nothing of these files was "
                "landed. Please report these files."
            )
        return blanks

    def apply_expressions(self) -> None:
        """Set the properties that metrics compute, once no line is doubtful any more."""
        self._formulas.apply(kept_characters=MAX_KEPT_CHARACTERS)

    def _judge_page(self, page: Sequence[tuple[int, int, str, str | None, str | None]], blanks: dict[int, int]) -> None:
        written: list[tuple[int, int, str, str, None]] = []
        rejected: list[tuple[int, int, str, str, str]] = []
        for file_id, number, line, raw, problem in page:
            try:
                text = self._judge.rewritten(line, problem, self.defaults[file_id])
            except Refusal as refusal:
                kept = (line if raw is None else raw).strip("\r\n")[:MAX_KEPT_CHARACTERS]
                if len(line) > MAX_KEPT_CHARACTERS and problem is None:
                    refusal.reason += f" The line has {len(line)} characters; its beginning is kept."
                kept = kept.replace("\0", "\ufffd")
                rejected.append((file_id, number, refusal.code, refusal.reason, kept))
                continue
            if text is None:
                blanks[file_id] = blanks.get(file_id, 0) + 1
            else:
                written.append((file_id, number, text, line if raw is None else raw, None))
        if rejected:
            self._insert("landing_rejected", table_of(rejected, _REJECTED_SCHEMA))
        if written:
            self.connection.register(_JUDGED, table_of(written, _JUDGED_SCHEMA))
            select = f"select *, null::varchar as default_organization_id from {_JUDGED}"
            self._parse(select, is_judged=True)
            self.connection.unregister(_JUDGED)

    def _parse(
        self, select: str, *, file_id: int | None = None, is_judged: bool = False, is_held: bool = False
    ) -> None:
        if file_id is not None:
            # a value and not a join: one over a stream of unknown length may keep all of it in memory
            default = self.defaults[file_id]
            default_sql = "null::varchar" if default is None else literal(default)
            select = f"select *, {default_sql} as default_organization_id from ({select})"
        parsed = statement(
            "events_parse",
            lines=f"({select})",
            is_doubtful=_UNTYPED if is_judged else "is_in_doubt",
            is_kept=self._is_kept,
            too_long_quantity=self._too_long,
        )
        if self._events is None or is_judged or is_held:
            self.connection.execute(statement("events_hold", parsed=parsed))
            return
        self.connection.execute(
            statement(
                "events_take",
                parsed=parsed,
                extracted=statement("events_extracted", rows="plain", **self._extracted),
                events=self._events,
                batch_id=self._batch_id,
                is_kept=self._is_kept,
            )
        )

    def _insert(self, table: str, rows: pa.Table) -> None:
        self.connection.register("landing_rows", rows)
        self.connection.execute(f"insert into {table} select * from landing_rows")
        self.connection.unregister("landing_rows")


def unreadable(error: OSError) -> InputError:
    """What to tell of a file that cannot be read."""
    return InputError(
        f"{error.filename or 'A file of events'} cannot be read: {error.strerror or error}. "
        "Nothing of it was landed; check the file and run the command again."
    )


def _watched(batches: Iterator[pa.RecordBatch], failures: list[OSError | BillingError]) -> Iterator[pa.RecordBatch]:
    """The batches; what goes wrong is kept, as the engine that reads them only passes on its text."""
    try:
        yield from batches
    except (OSError, BillingError) as error:
        failures.append(error)
        raise


def _too_long_quantity(quantities: Quantities) -> str:
    """The SQL of: a property that a metric measures may have too many digits; the judge decides."""
    codes: dict[str, set[str]] = {}
    for (_, code), metrics in quantities.items():
        for _, name in metrics:
            codes.setdefault(name, set()).add(code)
    tests = []
    for name, of in sorted(codes.items()):
        listed = ", ".join(literal(code) for code in sorted(of))
        if '"' in name or "\\" in name or "*" in name:
            tests.append(f"code in ({listed})")
            continue
        value = f"json_extract_string(property_text, {literal(json_path([name]))})"
        tests.append(f"(code in ({listed}) and regexp_full_match({value}, '{_LONG_VALUE}'))")
    if not tests:
        return "false"
    return f"coalesce({_LONG_DIGITS} and ({' or '.join(tests)}), false)"
