"""What reading a book gives."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dagster_project.lib.book._types import canonical_json

RowValues = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One keyed row of a book with its children, ready for the schema `raw`.

    `table` and the keys of `row` and of the rows in `children` are those of raw_schema.py, without
    the organisation and the versioning columns. Values are text, int, bool, Decimal, date, naive
    UTC datetime or None. `record_hash` is the sha256 of row and children without `position` and
    source.
    """

    table: str
    organization_id: str
    key: tuple[Any, ...]
    row: RowValues
    children: Mapping[str, tuple[RowValues, ...]]
    source_file: str
    source_line: int | None
    record_hash: str


@dataclass(frozen=True, slots=True)
class EventSource:
    """Where usage events come from; see `_events.py` for the format of events/sources.yaml.

    kind `file`: `paths`, all of one `format` and `compression` (`gzip` or None). kind `relation`: a
    table or view of the warehouse named `relation`. kind `inline`: `lines`, one JSON text an event
    as written in a case, with `line_numbers`, in `paths[0]`. `mapping` has an SQL expression a
    field, over the source's own columns, `file_name` (the path below `root`, the folder before a
    glob's first wildcard: the same wherever the folder lies) and `line_number`; None when the
    columns have the names of docs/book.md. `organization_id` is the organisation of rows that name none (None: every
    row must name one).
    """

    kind: Literal["file", "relation", "inline"]
    paths: tuple[Path, ...] = ()
    format: Literal["jsonl", "csv", "parquet"] | None = None
    compression: Literal["gzip"] | None = None
    mapping: Mapping[str, str] | None = None
    organization_id: str | None = None
    relation: str | None = None
    root: Path | None = None
    lines: tuple[str, ...] = ()
    line_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that one or more organisations hand to billing, validated.

    `records` are in the order of the tables of raw_schema.py and of the files; `timezones` are the
    zones in use.
    """

    path: Path
    organization_ids: tuple[str, ...]
    records: tuple[Record, ...]
    event_sources: tuple[EventSource, ...]
    timezones: frozenset[str]

    @property
    def content_hash(self) -> str:
        """The sha256 of all records: the version of the catalogue and the accounts."""
        hashes = sorted(f"{record.organization_id}/{record.table}/{record.record_hash}" for record in self.records)
        return sha256(hashes)


@dataclass(frozen=True, slots=True)
class Case:
    """A small book and what it must give; `expect` is plain JSON, with only the written keys."""

    path: Path
    name: str
    about: str
    features: tuple[str, ...]
    as_of: datetime
    book: Book
    expect: Mapping[str, Any]

    @property
    def organization_id(self) -> str:
        """The case's only organisation."""
        return self.book.organization_ids[0]


def sha256(value: Any) -> str:
    """The sha256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
