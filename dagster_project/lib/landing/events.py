"""Landing of usage events: every line of every source ends in one table of the schema raw, and in one only.

`usage_events` holds what was landed, `duplicate_events` repeats, `conflicting_events` the same id with
other content, `quarantined_events` what could not be taken, with its text and the reason. A file is
taken once, by its content; its rows and its mark in `landed_files` are one transaction. A file without
a line says that there was nothing, so it is marked under each name that it comes under. Small files
share a transaction. Empty lines are not counted; line numbers are those of the file, from 1.
"""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from dagster_project.lib.book import EventSource
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.landing.events_files import file_sha256
from dagster_project.lib.landing.events_formulas import read_formulas
from dagster_project.lib.landing.events_layouts import MEASURING, EventLayout, read_layouts, record_layouts
from dagster_project.lib.landing.events_mapping import checked
from dagster_project.lib.landing.events_parser import EventParser, Quantities
from dagster_project.lib.landing.events_readers import FILE_WEIGHT, Origin, Reading, file_state, read_origins
from dagster_project.lib.landing.events_store import renew_hashes, store_parsed
from dagster_project.lib.warehouse import DuckDBWarehouse, Session, Warehouse
from dagster_project.lib.words import plural

# what shares one transaction: enough to be quick, little enough to lose little in a crash
_GROUP_BYTES = 512 << 20
_GROUP_FILES = 200
# how many files have a line of their own in the progress
_NAMED_FILES = 20
# how much a compressed file may unpack to, and one of Parquet, for the size of a group
_PACKED_FACTOR = 8
# how long ago a file must have changed, so that no later change of it bears the same instant
_SETTLED_NS = 60 * 10**9
_FATES = ("landed", "duplicates", "conflicts", "rejected")
_MARKED = (
    "file_id",
    "file_path",
    "file_sha256",
    "file_bytes",
    "file_format",
    "lines_count",
    "landed_count",
    "duplicates_count",
    "conflicts_count",
    "rejected_count",
)


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file, relation or case: how many lines it had, and what became of them.

    `lines_count` = landed + duplicates + conflicts + rejected. `is_known`: its content was taken
    before, so nothing was read and all counts are 0.
    """

    file_id: int | None
    file_path: str
    file_format: str
    file_sha256: str
    file_bytes: int
    lines_count: int = 0
    landed_count: int = 0
    duplicates_count: int = 0
    conflicts_count: int = 0
    rejected_count: int = 0
    is_known: bool = False


@dataclass(slots=True)
class _Marks:
    """What was landed before: the marks by content, the names of contents without a line, the sizes that they have, and what
    lay under a path with which content.
    """

    contents: set[str]
    names_of_blank: dict[str, set[str]]
    sizes: set[int]
    states: dict[str, tuple[str, str]]
    next_file_id: int

    def add(self, sha256: str, name: str, lines_count: int) -> None:
        self.contents.add(sha256)
        if not lines_count:
            self.names_of_blank.setdefault(sha256, set()).add(name)

    def knows(self, sha256: str, name: str) -> bool:
        """Whether a content was taken: one without a line under that name."""
        return sha256 in self.contents and name in self.names_of_blank.get(sha256, (name,))


def land_events(
    warehouse: Warehouse,
    sources: Sequence[EventSource],
    *,
    batch_id: int,
    landed_at: datetime,
    organizations: Sequence[str],
    progress: Callable[[str], None] | None = None,
) -> list[LandedFile]:
    """Land all sources in the order of their paths; one result per file, relation or case.

    `landed_at` is UTC; `organizations` are the known ones: a row of another is quarantined, a row
    without one takes its source's default, or the only one there is. Raises InputError at the end,
    naming every file that vanished in the meantime, when all others are landed; InputError for a
    mapping that cannot be used: before anything is landed where its text shows it, else when its
    source is reached; BillingError, and that transaction undone, when the lines of a file do not tie.
    """
    note = progress or _silent
    origins = _origins(sources, kind=warehouse.kind)
    landed: list[LandedFile] = []
    vanished: list[str] = []
    with warehouse.connect() as session, _parsing(warehouse, session) as parsing:
        if not origins:
            return landed
        marks = _marks(session)
        parser = EventParser(
            parsing,
            organizations=organizations,
            quantities=_quantities(session),
            formulas=read_formulas(session),
            events=f"{session.schema('raw')}.usage_events" if session.kind == "duckdb" else None,
        )
        reading = Reading(note, len(origins), sum(_weight(origin) for origin in origins))
        landing = _Landing(session, parser, batch_id, landed_at.replace(tzinfo=None), reading, read_layouts(session))
        new, named = list[LandedFile](), 0
        for group in _groups(origins, marks, landed, vanished):
            reading.weight -= sum(FILE_WEIGHT + known.file_bytes for known in landed[reading.landed_count :])
            files = landing.land(group, marks)
            landed += files
            reading.landed_count = len(landed)
            new.extend(file for file in files if file.lines_count or file.file_format != "relation")
            for file in new[named:_NAMED_FILES]:
                note(f"{file.file_path}: {_counts([file])}")
            named = min(len(new), _NAMED_FILES)
        if new[named:]:
            note(f"and {plural(len(new) - named, 'file')} more: {_counts(new[named:])}")
        _record_states(session, origins)
    if vanished:
        raise InputError(
            f"{len(vanished)} of the event files vanished before they could be read: "
            f"{', '.join(vanished[:20])}. All others were landed; bring the files back and run the "
            "command again."
        )
    order = {origin.name: place for place, origin in enumerate(origins)}
    return sorted(landed, key=lambda file: order[file.file_path])


def _counts(files: Sequence[LandedFile]) -> str:
    return (
        f"{plural(sum(file.lines_count for file in files), 'line')}, "
        f"{sum(file.landed_count for file in files):,} landed, "
        f"{plural(sum(file.duplicates_count for file in files), 'duplicate')}, "
        f"{plural(sum(file.conflicts_count for file in files), 'conflict')}, "
        f"{sum(file.rejected_count for file in files):,} rejected"
    )


@dataclass(frozen=True, slots=True)
class _Landing:
    session: Session
    parser: EventParser
    batch_id: int
    landed_at: datetime
    reading: Reading
    layouts: list[EventLayout]

    def land(self, group: Sequence[Origin], marks: _Marks) -> list[LandedFile]:
        """Land a group of sources in one transaction."""
        first = marks.next_file_id
        for place, origin in enumerate(group):
            origin.file_id = first + place
        with self.session.transaction():
            self.layouts[:] = record_layouts(self.session, self.layouts, batch_id=self.batch_id)
            renew_hashes(self.session)
            self.parser.start(
                {origin.file_id: origin.source.organization_id for origin in group},
                batch_id=self.batch_id,
                layouts=self.layouts,
            )
            try:
                read_origins(self.session, self.parser, group, reading=self.reading)
            finally:
                for origin in group:
                    origin.close()
            blanks = self.parser.judge_doubtful()
            self.parser.apply_expressions()
            fates = store_parsed(
                self.session,
                self.parser.connection,
                batch_id=self.batch_id,
                first_file_id=first,
                relations=frozenset(o.file_id for o in group if o.source.kind == "relation"),
            )
            files = [self._landed(origin, fates, blanks) for origin in group]
            kept = [f for f, o in zip(files, group, strict=True) if f.lines_count or o.is_content]
            self._mark(kept)
            self.parser.end()
        marks.next_file_id += len(group)
        for file in kept:
            marks.add(file.file_sha256, file.file_path, file.lines_count)
        marks.sizes |= {file.file_bytes for file in kept}
        return files

    def _landed(self, origin: Origin, fates: Mapping[tuple[int, str], int], blanks: dict[int, int]) -> LandedFile:
        counts = [fates.get((origin.file_id, fate), 0) for fate in _FATES]
        lines = origin.lines_count - blanks.get(origin.file_id, 0)
        if not origin.is_content:
            lines = sum(counts)
        if lines != sum(counts):
            raise BillingError(
                f"The lines of {origin.name} do not tie: {lines} were read, but "
                f"{', '.join(f'{n} {fate}' for n, fate in zip(counts, _FATES, strict=True))}. "
                "Nothing of it was landed. Please report this file."
            )
        return LandedFile(
            origin.file_id,
            origin.name,
            origin.format,
            origin.fingerprint(),
            origin.size,
            lines_count=lines,
            landed_count=counts[0],
            duplicates_count=counts[1],
            conflicts_count=counts[2],
            rejected_count=counts[3],
        )

    def _mark(self, files: Sequence[LandedFile]) -> None:
        self.session.insert(
            f"{self.session.schema('raw')}.landed_files",
            ("batch_id", "landed_at", *_MARKED),
            [(self.batch_id, self.landed_at, *(getattr(file, name) for name in _MARKED)) for file in files],
        )


def _origins(sources: Sequence[EventSource], *, kind: str) -> list[Origin]:
    """The files, relations and cases of all sources, in the order of their names; relations last."""
    dialect = "duckdb" if kind == "duckdb" else "postgres"
    origins = []
    for source in sources:
        is_relation = source.kind == "relation"
        expressions = None
        if source.mapping is not None:
            expressions = checked(source.mapping, dialect=dialect if is_relation else "duckdb")
        if is_relation:
            origins.append(Origin(source, source.relation or "", "relation", expressions=expressions))
            continue
        for path in source.paths:
            format_ = "inline" if source.kind == "inline" else source.format or "jsonl"
            origins.append(Origin(source, str(path), format_, path, expressions))
    return sorted(origins, key=lambda o: (o.source.kind == "relation", o.name))


def _weight(origin: Origin) -> int:
    """What is to be read, for the progress: the bytes of a file as on disk, and what it takes beside them."""
    state = file_state(origin.path) if origin.source.kind == "file" and origin.path is not None else ()
    return FILE_WEIGHT + (state[2] if state else 0)


@dataclass(slots=True)
class _Group:
    """What is landed together, and the copies of its files, which are known once it has its marks."""

    origins: list[Origin] = field(default_factory=list)
    copies: list[Origin] = field(default_factory=list)
    weight: int = 0
    _unhashed: dict[int, list[Origin]] = field(default_factory=dict)
    _contents: set[str] = field(default_factory=set)

    def takes(self, packed: int) -> bool:
        """Whether there is room for a file that may unpack to that many bytes."""
        return not self.origins or (self.weight + packed <= _GROUP_BYTES and len(self.origins) < _GROUP_FILES)

    def add(self, origin: Origin, size: int, packed: int) -> None:
        self.origins.append(origin)
        self.weight += packed
        if origin.source.kind == "file":
            self._unhashed.setdefault(size, []).append(origin)

    def has_content(self, origin: Origin, size: int, marks: _Marks) -> bool:
        """Whether a file has the lines of one of the group: those of one size are hashed, each once. Raises OSError."""
        peers = self._unhashed.get(size)
        if peers is None or origin.source.kind != "file":
            return False
        mine = _hashed(origin)
        for peer in peers:
            with suppress(OSError):
                self._contents.add(_hashed(peer))
        peers.clear()
        return mine in self._contents and mine not in marks.names_of_blank


def _groups(
    origins: Sequence[Origin], marks: _Marks, landed: list[LandedFile], vanished: list[str]
) -> Iterator[list[Origin]]:
    """What is landed together; what is known goes to `landed`, what is gone to `vanished`."""
    waiting = deque(origins)
    group = _Group()
    while waiting or group.origins:
        if waiting:
            origin = waiting.popleft()
            try:
                size = origin.path.stat().st_size if origin.source.kind == "file" and origin.path else 0
                is_packed = origin.source.compression or origin.format == "parquet"
                packed = size * (_PACKED_FACTOR if is_packed else 1)
                if group.takes(packed):
                    _place(origin, size, packed, group, marks, landed)
                    continue
            except OSError as error:
                gone = isinstance(error, FileNotFoundError)
                vanished.append(origin.name if gone else f"{origin.name} ({error.strerror or error})")
                continue
            waiting.appendleft(origin)
        yield group.origins
        waiting.extendleft(reversed(group.copies))
        group = _Group()


def _place(origin: Origin, size: int, packed: int, group: _Group, marks: _Marks, landed: list[LandedFile]) -> None:
    """Open a file for the group, unless its content is known or that of another there. Raises OSError."""
    known = _known(origin, size, marks)
    if known is not None:
        landed.append(known)
    elif group.has_content(origin, size, marks):
        group.copies.append(origin)
    else:
        origin.open()
        origin.size = origin.size or size
        group.add(origin, size, packed)


def _known(origin: Origin, size: int, marks: _Marks) -> LandedFile | None:
    """The result for a content that was taken before; a file is hashed only if one of its size was."""
    if origin.source.kind == "inline":
        origin.open()
    elif origin.source.kind == "relation" or origin.path is None or size not in marks.sizes:
        return None
    else:
        origin.size = size
    fingerprint = _known_fingerprint(origin, marks)
    if not marks.knows(fingerprint, origin.name):
        origin.hashed_state = ""
        return None
    return LandedFile(None, origin.name, origin.format, fingerprint, origin.size, is_known=True)


def _hashed(origin: Origin) -> str:
    """The fingerprint of a content before it is read. Raises OSError."""
    if not origin.content_sha256 and origin.path is not None:
        origin.content_sha256 = file_sha256(origin.path)
    return origin.fingerprint()


def _known_fingerprint(origin: Origin, marks: _Marks) -> str:
    """As `_hashed`, but a file that lies there as when it was hashed before is not read again. Raises OSError."""
    if origin.content_sha256 or origin.path is None:
        return origin.fingerprint()
    found = file_state(origin.path)
    state, content_sha256 = marks.states.get(origin.name, ("", ""))
    if found and state == _written(found):
        origin.content_sha256 = content_sha256
        return origin.fingerprint()
    fingerprint = _hashed(origin)
    # a clock ticks: what changes a file twice within a moment leaves it with the same instants
    if found and file_state(origin.path) == found and max(found[-2:]) < time.time_ns() - _SETTLED_NS:
        origin.hashed_state = _written(found)
    return fingerprint


def _written(state: tuple[int, ...]) -> str:
    return " ".join(map(str, state))


def _record_states(session: Session, origins: Sequence[Origin]) -> None:
    """Write down as what the files lay there that were hashed and whose content was landed before."""
    states = {o.name: (o.name, o.hashed_state, o.content_sha256) for o in origins if o.hashed_state}
    if states:
        table = f"{session.schema('raw')}.file_states"
        with session.transaction():
            session.execute(f"delete from {table} where file_path in (select unnest(?))", [list(states)])
            session.insert(table, ("file_path", "file_state", "content_sha256"), states.values())


def _marks(session: Session) -> _Marks:
    raw = session.schema("raw")
    rows = session.rows(f"select file_id, file_sha256, file_path, lines_count, file_bytes from {raw}.landed_files")
    states = session.rows(f"select file_path, file_state, content_sha256 from {raw}.file_states")
    sizes, last = {size for *_, size in rows}, max((file_id for file_id, *_ in rows), default=0)
    marks = _Marks(set(), {}, sizes, {path: (state, sha256) for path, state, sha256 in states}, last + 1)
    for _, sha256, name, lines_count, _ in rows:
        marks.add(sha256, name, lines_count)
    return marks


def _quantities(session: Session) -> Quantities:
    """The properties that metrics read as quantities, by organisation and event code: every version's."""
    raw = session.schema("raw")
    rows = session.rows(
        "select distinct organization_id, coalesce(event_code, billable_metric_code), "
        f"billable_metric_code, field_name from {raw}.billable_metrics "
        # an expression sets the property, whatever the event says
        f"where field_name is not null and expression is null and aggregation_type in ({MEASURING}, 'custom_agg')"
    )
    quantities: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for organization_id, code, metric, name in sorted(rows):
        quantities.setdefault((organization_id, code), []).append((metric, name))
    return quantities


@contextmanager
def _parsing(warehouse: Warehouse, session: Session) -> Iterator[duckdb.DuckDBPyConnection]:
    """The DuckDB that parses: the warehouse's own connection, else one in memory.

    Rows may change places while they are parsed, so that all threads can work.
    """
    if isinstance(warehouse, DuckDBWarehouse):
        own: duckdb.DuckDBPyConnection = session.connection  # type: ignore[attr-defined]
        own.execute("set preserve_insertion_order = false")
        # a group of rows is written when it is whole: five at once take fresh memory, and a twentieth longer
        own.execute("set write_buffer_row_group_count = 1")
        try:
            yield own
        finally:
            own.execute("reset preserve_insertion_order")
            own.execute("reset write_buffer_row_group_count")
            # a scanner may have taken of it
            own.execute(f"set memory_limit = '{warehouse.settings['memory_limit']}'")
        return
    config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
    if warehouse.engine_memory is not None:
        config["memory_limit"] = warehouse.engine_memory
    with (
        tempfile.TemporaryDirectory(prefix="meterhouse-") as folder,
        duckdb.connect(config={**config, "temp_directory": folder}) as connection,
    ):
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        yield connection


def _silent(text: str) -> None:
    """Tell nothing."""
