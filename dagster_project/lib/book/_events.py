"""Where a book's usage events are: files under events/ and what events/sources.yaml adds.

Files that sources.yaml does not match must have docs/book.md's own field names: `**/*.jsonl[.gz]`,
`*.csv[.gz]`, `*.parquet`. Everything else is described in events/sources.yaml (or .yml, .json):

    sources:
      - files: gateway/*.csv.gz            # a glob, relative to events/ or absolute; ${NAME} is an
        environment variable
        format: csv                        # jsonl, csv or parquet; default: by the files' suffix
        organization_id: acme              # of rows that name none; default: the only organisation
        fields:                            # `columns` is the same; one SQL expression a field, over
        the source's own
          code: "'api_call'"               #   columns and over file_name and line_number
          transaction_id: "file_name || ':' || line_number"
          external_subscription_id: customer_ref
          timestamp: called_at
          properties: "json_object('bytes', bytes_out)"
      - relation: analytics.usage          # a table or view of the warehouse in place of files:
        read where it lies
        fields: {code: metric, transaction_id: id, external_subscription_id: subscription,
        timestamp: happened_at}

`file_name` is the path below the folder before the first wildcard, so that ids made from it stay
the same when the folder moves. `code`, `transaction_id`, `external_subscription_id` and `timestamp`
are required; `received_at`, `properties`, `precise_total_amount_cents` and `organization_id` are
optional. Without `fields` the
source has docs/book.md's names. A glob may match nothing yet, but its folder must exist, and so must a
file that is named without a wildcard.
"""

import glob
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from dagster_project.lib.book._book import EventSource
from dagster_project.lib.book._folders import files_below, is_gone
from dagster_project.lib.book._places import Place, Problems, validated
from dagster_project.lib.book._problems import nearest
from dagster_project.lib.book._sources import Node, UnreadableError, data_suffix, read_document
from dagster_project.lib.book._types import BookModel, ListOf, MappingOf, Text

Format = Literal["jsonl", "csv", "parquet"]
REQUIRED_FIELDS = ("code", "transaction_id", "external_subscription_id", "timestamp")
OPTIONAL_FIELDS = ("received_at", "properties", "precise_total_amount_cents", "organization_id")
SOURCES_FILES = ("sources.yaml", "sources.yml", "sources.json")
_FORMATS: Mapping[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_RELATION = re.compile(r'("[^"]+"|[A-Za-z_]\w*)(\.("[^"]+"|[A-Za-z_]\w*)){0,2}')


class SourceRow(BookModel):
    """One entry of events/sources.yaml."""

    files: Text | None = None
    relation: Text | None = None
    format: Format | None = None
    organization_id: Text | None = None
    fields_: MappingOf[Text] | None = Field(default=None, alias="fields")
    columns: MappingOf[Text] | None = None


class SourcesFile(BookModel):
    """events/sources.yaml."""

    sources: ListOf[SourceRow] = ()


def case_events(place: Place, path: Path, organization_id: str, problems: Problems) -> tuple[EventSource, ...]:
    """The events of a case as the JSON texts that were written; they need only be objects."""
    events = place.value
    if events is None:
        return ()
    if not isinstance(events, list):
        problems.add(place, "a list of events")
        return ()
    for index, event in enumerate(events):
        if not isinstance(event, Node):
            problems.add(place, "an event as an object", index)
    nodes = [event for event in events if isinstance(event, Node)]
    if not nodes:
        return ()
    return (
        EventSource(
            kind="inline",
            paths=(path,),
            format="jsonl",
            organization_id=organization_id,
            lines=tuple(re.sub(r"[\r\n\t]", " ", node.raw or "") for node in nodes),
            line_numbers=tuple(node.line or 0 for node in nodes),
        ),
    )


def folder_events(root: Path, organization_ids: Collection[str], problems: Problems) -> tuple[EventSource, ...]:
    """The sources of a folder book: those of sources.yaml in order, then native files by format."""
    folder = root / "events"
    if not folder.is_dir():
        return ()
    only = next(iter(organization_ids)) if len(organization_ids) == 1 else None
    described = [
        source
        for name in SOURCES_FILES
        if (folder / name).is_file()
        for source in _described(root, folder / name, organization_ids, only, problems)
    ]
    taken = {os.path.realpath(path) for source in described for path in source.paths}
    native: dict[tuple[Format, bool], list[Path]] = defaultdict(list)
    for path in files_below(folder, problems):
        if os.path.realpath(path) in taken or path.name in SOURCES_FILES:
            continue
        kind = _FORMATS.get(data_suffix(path))
        packed = path.name.endswith(".gz")
        if kind is None or (packed and kind == "parquet"):
            problems.file(
                path.relative_to(root).as_posix(),
                "events as .jsonl[.gz], .csv[.gz] or .parquet, or an entry in events/sources.yaml",
                value="another kind of file",
            )
            continue
        native[kind, packed].append(path)
    return (
        *described,
        *(
            EventSource("file", tuple(paths), kind, "gzip" if packed else None, organization_id=only)
            for (kind, packed), paths in sorted(native.items())
        ),
    )


def _described(
    root: Path, file: Path, organization_ids: Collection[str], only: str | None, problems: Problems
) -> Iterator[EventSource]:
    name = file.relative_to(root).as_posix()
    try:
        document = read_document(file)
    except UnreadableError as error:
        problems.file(name, error.expected, line=error.line)
        return
    place = Place(name, (), document.value, document.text)
    sources = validated(SourcesFile, place, problems)
    for index, row in enumerate(sources.sources if sources else ()):
        at = place.at("sources", index)
        mapping = _mapping(row, at, problems)
        if row.organization_id is not None and row.organization_id not in organization_ids:
            wanted = f"an organisation of the book: {nearest(row.organization_id, organization_ids)}"
            problems.add(at, wanted, "organization_id")
        organization_id = row.organization_id or only
        if (row.files is None) == (row.relation is None):
            problems.add(at, "either files (a glob) or a relation (schema.table)", "files")
        elif row.relation is not None:
            if not _RELATION.fullmatch(row.relation):
                problems.add(at, "the name of a table or view, such as schema.table", "relation")
            yield EventSource("relation", mapping=mapping, organization_id=organization_id, relation=row.relation)
        else:
            yield from _globbed(file.parent, row, mapping, organization_id, at, problems)


def _mapping(row: SourceRow, place: Place, problems: Problems) -> dict[str, str] | None:
    if row.fields_ is not None and row.columns is not None:
        problems.add(place, "nothing beside fields, which says the same", "columns")
    key = "fields" if row.fields_ is not None else "columns"
    mapping = row.fields_ if row.fields_ is not None else row.columns
    if mapping is None:
        return None
    for name in mapping:
        if name not in REQUIRED_FIELDS and name not in OPTIONAL_FIELDS:
            known = nearest(name, (*REQUIRED_FIELDS, *OPTIONAL_FIELDS))
            problems.add(place, f"a field of an event: {known}", key, name)
    for name in REQUIRED_FIELDS:
        if name not in mapping:
            problems.add(place, "an SQL expression: every event needs this field", key, name)
    return dict(mapping)


def _globbed(
    folder: Path,
    row: SourceRow,
    mapping: dict[str, str] | None,
    organization_id: str | None,
    place: Place,
    problems: Problems,
) -> Iterator[EventSource]:
    unset = [name for name in _PLACEHOLDER.findall(row.files or "") if not os.environ.get(name)]
    for name in unset:
        problems.add(place, f"the environment variable {name} to be set when the book is read", "files")
    if unset:
        return
    pattern = _PLACEHOLDER.sub(lambda match: os.environ[match[1]], row.files or "")
    full = str(folder / pattern)
    fixed = Path(full.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0])
    if full == str(fixed) and not fixed.exists():
        problems.add(place, f"a file; {fixed} does not exist", "files")
        return
    parent = fixed if full[len(str(fixed)) :].startswith("/") else fixed.parent
    if not parent.is_dir():
        problems.add(place, f"a glob in a folder that exists; {parent} does not", "files")
        return
    matches = map(Path, glob.glob(full, recursive=True))
    paths = sorted(path for path in matches if path.is_file() or is_gone(path))
    grouped: dict[tuple[Format, bool], list[Path]] = defaultdict(list)
    for path in paths:
        kind = row.format or _FORMATS.get(data_suffix(path))
        if kind is None:
            problems.add(place, f"jsonl, csv or parquet: the name {path.name} does not say which", "format")
            return
        grouped[kind, path.name.endswith(".gz")].append(path)
    for (kind, packed), group in sorted(grouped.items()):
        yield EventSource(
            "file",
            tuple(group),
            kind,
            "gzip" if packed else None,
            mapping,
            organization_id,
            root=parent,
        )
