"""Reading files into plain values that remember where they were written.

Numbers never pass through a double: JSON fractions become `Decimal`, YAML and CSV scalars stay
text. Mappings are `Node`s: dicts that know their line. What is typed text (YAML, CSV, Parquet) and
what is strict (JSON) is decided by the format, and carried to the models by `Document.text`.
"""

import bisect
import csv
import functools
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from dagster_project.lib.unpacking import DamagedError, unpacked

_MAX_DEPTH = 100
_MAX_REPEATED = 100_000
DATA_SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".csv", ".parquet")


class Node(dict[str, Any]):
    """A mapping that knows its line (from 1), its raw JSON text, and keys written twice."""

    __slots__ = ("duplicates", "line", "raw")

    def __init__(self, pairs: list[tuple[str, Any]], line: int | None, raw: str | None = None) -> None:
        """Keep the last of keys that are written twice, and remember them."""
        super().__init__(pairs)
        self.line = line
        self.raw = raw
        self.duplicates: tuple[str, ...] = ()
        if len(self) != len(pairs):
            seen: set[str] = set()
            self.duplicates = tuple(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]


class UnreadableError(Exception):
    """A file that is not what its name says; `line` where it is known."""

    def __init__(self, expected: str, line: int | None = None) -> None:
        """Say what was expected of the file."""
        super().__init__(expected)
        self.expected = expected
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """What one file holds. `text`: scalars are text for the models to read (YAML, CSV, Parquet)."""

    value: Any
    text: bool


def data_suffix(path: Path) -> str:
    """The suffix that says how a file is read, without `.gz`."""
    name = path.name.removesuffix(".gz").lower()
    return "." + name.rsplit(".", 1)[1] if "." in name else ""


def stem(path: Path) -> str:
    """The file's name without its suffixes: `customers` of `customers.csv.gz`."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]


def read_document(path: Path) -> Document:
    """Read one data file.

    Raises UnreadableError when it is not valid.
    """
    suffix = data_suffix(path)
    try:
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content = b"".join(unpacked([content], block_bytes=1 << 20))
        if suffix == ".parquet":
            return Document(_parquet(content), text=True)
        text = content.decode("utf-8-sig")
    except (OSError, DamagedError, UnicodeDecodeError, pa.ArrowException) as error:
        raise UnreadableError(f"a readable file ({error})") from error
    if suffix == ".json":
        return Document(parse_json(text), text=False)
    if suffix == ".jsonl":
        return Document(list(_json_lines(text)), text=False)
    if suffix == ".csv":
        return Document(_csv(text), text=True)
    return Document(_yaml(text), text=True)


def parse_json(text: str) -> Any:
    """Parse a JSON text; objects become Nodes with line and raw text, fractions Decimals.

    Raises UnreadableError with the line of the mistake.
    """
    try:
        return _JsonDecoder(text).decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"valid JSON ({error.msg} at column {error.colno})", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"valid JSON ({error})") from error


class _JsonDecoder(json.JSONDecoder):
    """The standard decoder, with Nodes in place of dicts."""

    def __init__(self, text: str) -> None:
        super().__init__(parse_float=Decimal, parse_constant=_no_constant)
        self._text = text
        self._newlines = [i for i, c in enumerate(text) if c == "\n"]
        parse_object: Any = json.decoder.JSONObject  # type: ignore[attr-defined]

        def parse_node(s_and_end: tuple[str, int], strict: bool, scan: Any, _h: Any, _p: Any, memo: Any) -> Any:
            start = s_and_end[1] - 1
            pairs, end = parse_object(s_and_end, strict, scan, None, list, memo)
            line = bisect.bisect_left(self._newlines, start) + 1
            return Node(pairs, line, self._text[start:end]), end

        self.parse_object = parse_node
        self.scan_once = py_make_scanner(self)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _json_lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(
                line,
                object_pairs_hook=functools.partial(Node, line=number),
                parse_float=Decimal,
                parse_constant=_no_constant,
            )
        except (ValueError, RecursionError) as error:
            message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise UnreadableError(f"one valid JSON object a line ({message})", number) from error
        yield value


class _TextLoader(yaml.CSafeLoader):
    """YAML whose plain scalars stay text, but for null."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _yaml_mapping(loader: _TextLoader, node: yaml.MappingNode) -> Iterator[Node]:
    result = Node([], node.start_mark.line + 1)
    yield result
    loader.flatten_mapping(node)
    pairs = [(loader.construct_object(k), loader.construct_object(v, deep=True)) for k, v in node.value]
    if any(not isinstance(key, str) for key, _ in pairs):
        raise yaml.constructor.ConstructorError(None, None, "keys must be text", node.start_mark)
    result.__init__(pairs, node.start_mark.line + 1)  # type: ignore[misc]


_TextLoader.add_constructor("tag:yaml.org,2002:map", _yaml_mapping)


def _yaml(text: str) -> Any:
    try:
        _check_shape(text)
        return yaml.load(text, Loader=_TextLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableError(f"valid YAML ({error.problem})", mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableError(f"valid YAML ({error})") from error


def _check_shape(text: str) -> None:
    """Refuse YAML that would overflow the stack, or the memory by anchors that repeat one another.

    Raises UnreadableError with the line.
    """
    sizes: list[int] = []
    anchors: list[str | None] = []
    known: dict[str | None, int] = {}
    repeated = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            anchors.append(event.anchor)
            if event.anchor is not None:
                known.pop(event.anchor, None)
            if len(sizes) > _MAX_DEPTH:
                raise UnreadableError(f"YAML that is nested at most {_MAX_DEPTH} levels deep", _line(event))
            continue
        if isinstance(event, yaml.ScalarEvent):
            size, anchor = 1, event.anchor
        elif isinstance(event, yaml.AliasEvent):
            # one that is not known yet stands in itself, or nowhere
            size, anchor = known.get(event.anchor, _MAX_REPEATED + 1), None
            repeated += size
            if repeated > _MAX_REPEATED:
                raise UnreadableError(
                    f"YAML whose aliases repeat at most {_MAX_REPEATED:,} values, and only what stands before",
                    _line(event),
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            size, anchor = sizes.pop(), anchors.pop()
        else:
            continue
        if anchor is not None:
            known[anchor] = size
        if sizes:
            sizes[-1] += size


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark is not None else None


def _csv(text: str) -> list[Node]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Node] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) != len(header) or "" in header:
            raise UnreadableError("a header whose columns have different names, none empty", 1)
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                raise UnreadableError(f"{len(header)} cells a row, as in the header, not {len(cells)}", line)
            if cells:
                pairs = [(name, cell or None) for name, cell in zip(header, cells, strict=True)]
                rows.append(Node(pairs, line))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableError(f"valid CSV ({error})", reader.line_num) from error
    return rows


def _parquet(content: bytes) -> list[Node]:
    table = pq.read_table(io.BytesIO(content))
    return [
        Node([(name, _as_text(value)) for name, value in row.items()], number)
        for number, row in enumerate(table.to_pylist(), start=1)
    ]


def _as_text(value: Any) -> Any:
    """A typed value as the text of YAML or CSV; doubles stay, for the models to refuse."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return Node([(key, _as_text(item)) for key, item in value.items()], None)
    return value
