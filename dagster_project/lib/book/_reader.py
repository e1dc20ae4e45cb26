"""Reading a book and a case: every problem of all its files in one error."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dagster_project.lib.book._assembly import Draft, assembled
from dagster_project.lib.book._book import Book, Case
from dagster_project.lib.book._entries import MODELS
from dagster_project.lib.book._events import case_events, folder_events
from dagster_project.lib.book._expectations import CaseKeys
from dagster_project.lib.book._folders import files_below, is_gone
from dagster_project.lib.book._places import Place, Problems, note_repeated_keys, validated
from dagster_project.lib.book._problems import BookError, nearest
from dagster_project.lib.book._sources import (
    DATA_SUFFIXES,
    UnreadableError,
    data_suffix,
    read_document,
    stem,
)
from dagster_project.lib.errors import InputError

_BOOK_FILES = ("book.yaml", "book.yml", "book.json")
_ROW_FOLDERS = ("catalog", "accounts")
_SOURCES = "expected_sources"


def read_book(path: Path, *, organization_id: str | None = None) -> Book:
    """Read a folder, or a case file as a book (its `as_of` and `expect` are checked and left out).

    `organization_id` replaces the id of the only organisation. Raises BookError with every problem,
    InputError when there is nothing at `path`.
    """
    if not path.is_dir():
        return read_case(path, organization_id=organization_id).book
    name = path.resolve().name
    problems = Problems()
    draft = Draft(name)
    _read_book_file(path, draft, problems)
    for folder in _ROW_FOLDERS:
        for file in _data_files(path, folder, problems):
            _read_rows(path, file, draft, problems)
    ids = draft.organization_ids(organization_id)
    events = folder_events(path, ids, problems)
    return assembled(path, draft, events, organization_id=organization_id, problems=problems)


def read_case(path: Path, *, organization_id: str | None = None) -> Case:
    """Read a case file.

    `organization_id` replaces the organisation's id, so that many cases can share a warehouse; by
    default it is the organisation's `id`, else the case's name. Raises BookError with every
    problem, InputError when there is no such JSON file.
    """
    if not path.is_file() or data_suffix(path) != ".json":
        raise InputError(f"{path} is neither a book's folder nor a case's .json file; give the path of one.")
    problems = Problems()
    root = _document(path, path.name, problems)
    if root is not None and not isinstance(root.value, dict):
        problems.add(root, "a mapping with the keys case, as_of, given and expect")
    if root is None or problems.found:
        raise BookError(str(path), problems.found)
    given, written = root.at("given"), root.at("case").value
    keys = validated(CaseKeys, root.without("given"), problems)
    draft = Draft(written if isinstance(written, str) and written.strip() else path.stem)
    if isinstance(given.value, dict):
        note_repeated_keys(given, problems)
        draft.organizations.append(given.at("organization"))
        _add_tables(given, given.value.keys() - {"organization", "events"}, draft, problems)
    else:
        problems.add(given, "a mapping of the organisation, the tables and the events")
    only = draft.organization_ids(organization_id)[0]
    events = case_events(given.at("events"), path, only, problems)
    book = assembled(path, draft, events, organization_id=organization_id, problems=problems)
    assert keys is not None  # its absence is a problem, and problems were raised
    return Case(
        path=path,
        name=keys.case,
        about=keys.about or "",
        features=tuple(keys.features),
        as_of=keys.as_of,
        book=book,
        expect=_plain(root.at("expect").value or {}),
    )


def _document(file: Path, name: str, problems: Problems) -> Place | None:
    try:
        document = read_document(file)
    except UnreadableError as error:
        problems.file(name, error.expected, line=error.line)
        return None
    return Place(name, (), document.value, document.text)


def _read_book_file(root: Path, draft: Draft, problems: Problems) -> None:
    """The organisations: under `organizations`, or the file is the only one's mapping."""
    files = [root / name for name in _BOOK_FILES if (root / name).is_file()]
    if len(files) != 1:
        value = "no such file" if not files else f"{len(files)} of them"
        problems.file(_BOOK_FILES[0], "one book.yaml (or .yml, .json) with the organisations", value=value)
        return
    place = _document(files[0], files[0].name, problems)
    if place is None:
        return
    if not isinstance(place.value, dict):
        problems.add(place, "a mapping with organizations, or with the keys of the only organisation")
        return
    listed = [key for key in ("organizations", "organization") if key in place.value]
    for key in listed:
        at = place.at(key)
        rows = [at.at(i) for i in range(len(at.value))] if isinstance(at.value, list) else [at]
        draft.organizations.extend(rows)
    if _SOURCES in place.value:
        _add_tables(place, {_SOURCES}, draft, problems)
    if listed:
        note_repeated_keys(place, problems)
        known = {*listed, _SOURCES}
        for key in place.value.keys() - known:
            problems.add(place, f"a known key: {nearest(key, {*known, 'organizations'})}", key)
    else:
        draft.organizations.append(place.without(_SOURCES))


def _data_files(root: Path, folder: str, problems: Problems) -> Iterator[Path]:
    for file in files_below(root / folder, problems):
        relative = file.relative_to(root)
        if is_gone(file):
            problems.file(relative.as_posix(), f"a file; {os.readlink(file)} is not there", value="a link to nothing")
            continue
        suffix = data_suffix(file)
        packed = file.name.endswith(".gz")
        if suffix not in DATA_SUFFIXES or (packed and suffix not in {".jsonl", ".csv"}):
            problems.file(
                relative.as_posix(),
                "a .yaml, .yml, .json, .jsonl, .csv or .parquet file (.gz for .jsonl and .csv)",
                value="another kind of file",
            )
            continue
        yield file


def _read_rows(root: Path, file: Path, draft: Draft, problems: Problems) -> None:
    """The rows of a file: its name or its folder's name says the table, or its keys do."""
    place = _document(file, file.relative_to(root).as_posix(), problems)
    if place is None or place.value is None:
        return
    table = next((name for name in (stem(file), file.parent.name) if name in MODELS), None)
    value = place.value
    if isinstance(value, dict) and (table is None or value.keys() <= MODELS.keys()):
        note_repeated_keys(place, problems)
        _add_tables(place, set(value), draft, problems)
    elif table is None:
        problems.add(place, "a file named as a table, or a mapping of tables: " + ", ".join(sorted(MODELS)))
    elif isinstance(value, list):
        draft.rows += [(table, place.at(index)) for index in range(len(value))]
    else:
        draft.rows.append((table, place))


def _add_tables(place: Place, tables: Collection[str], draft: Draft, problems: Problems) -> None:
    for table in place.value:
        if table not in tables:
            continue
        rows = place.value[table]
        if table not in MODELS:
            problems.add(place, f"the name of a table: {nearest(table, MODELS)}", table)
        elif isinstance(rows, list):
            draft.rows += [(table, place.at(table, index)) for index in range(len(rows))]
        elif rows is not None:
            problems.add(place, "a list of rows", table)


def _plain(value: Any) -> Any:
    """The value in plain dicts and lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
