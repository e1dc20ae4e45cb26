"""Where in a book something was written, and the problems that were found there."""

import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dagster_project.lib.book._problems import Problem, nearest, shown
from dagster_project.lib.book._sources import Node
from dagster_project.lib.book._types import known_keys

Key = str | int
M = TypeVar("M", bound=BaseModel)
_KINDS = {"missing": "a value (the key is required)", "none_required": "nothing"}


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file; `path` are the keys from the file's root to it."""

    file: str
    path: tuple[Key, ...]
    value: Any
    text: bool
    line: int | None = None

    def at(self, *keys: Key) -> "Place":
        """The place of a part: of one that does not exist the value is None, of a text the text."""
        value, line = self.value, self.line
        if isinstance(value, Node) and value.line is not None:
            line = value.line
        for key in keys:
            if isinstance(value, dict):
                value = value.get(str(key))
            elif isinstance(value, list):
                value = value[key] if isinstance(key, int) and key < len(value) else None
            if isinstance(value, Node) and value.line is not None:
                line = value.line
        return Place(self.file, (*self.path, *keys), value, self.text, line)

    def without(self, key: str) -> "Place":
        """The same place of a mapping without one of its keys."""
        pairs = [(name, item) for name, item in self.value.items() if name != key]
        rest = Node(pairs, self.value.line)
        rest.duplicates = self.value.duplicates
        return Place(self.file, self.path, rest, self.text, self.line)

    def problem(self, expected: str, *keys: Key) -> Problem:
        """The problem that the value at these keys is not what was expected."""
        place = self.at(*keys)
        names = [key for key in place.path if isinstance(key, str)]
        return Problem(
            file=self.file,
            line=place.line,
            path=path_text(place.path),
            field=names[-1] if names else "",
            value=shown(place.value),
            expected=expected,
        )


@dataclass(slots=True)
class Problems:
    """A growing list of problems."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: Place, expected: str, *keys: Key) -> None:
        """Note that the value at this place is not what was expected."""
        self.found.append(place.problem(expected, *keys))

    def add_repeated(self, place: Place, names: Sequence[str], *keys: Key, field: str | None = None) -> None:
        """Note each name that the list at these keys has already (in `field` of its rows)."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                inner = (index,) if field is None else (index, field)
                self.add(place, "each only once; the list has it already", *keys, *inner)
            seen.add(name)

    def file(
        self,
        file: str,
        expected: str,
        *,
        line: int | None = None,
        value: str = "a file that is not",
    ) -> None:
        """Note what is wrong with a whole file."""
        self.found.append(Problem(file, line, "", "", value, expected))


def path_text(path: Sequence[Key]) -> str:
    """`("plans", 0, "charges")` as `plans[0].charges`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def validated(model: type[M], place: Place, problems: Problems) -> M | None:
    """The value at a place as a model; None, with every mistake noted, when it is not one."""
    _note_duplicates(place, problems)
    try:
        return model.model_validate(place.value, context={"text": place.text})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            keys = tuple(key for key in detail["loc"] if key != "[key]")
            label = price_label(place.value, keys)
            problems.add(place, _expected(model, keys, detail) + (f" ({label})" if label else ""), *keys)
        return None


def price_label(row: Any, keys: Sequence[Key]) -> str:
    """The charge, filter and range of a plan or of a subscription's overrides that keys lead to; else empty."""
    names: list[str] = []
    value = row
    for key, index in pairwise(keys):
        value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(index, int) or not isinstance(key, str):
            continue
        value = value[index] if isinstance(value, list) and index < len(value) else None
        code = value.get("code") if isinstance(value, dict) else None
        if key in ("charges", "fixed_charges"):
            names.append(f"{key[:-1].replace('_', ' ')} {code if isinstance(code, str) else index + 1}{_owner(row)}")
        elif names and key == "filters":
            names.append(f"filter {index + 1}")
        elif names and key.endswith("_ranges"):
            names.append(f"range {index + 1}")
    return ", ".join(names)


def _owner(row: Any) -> str:
    for what, key in (("plan", "code"), ("subscription", "external_id")):
        if isinstance(row.get(key), str):
            return f" of {what} {row[key]}"
    return ""


def _expected(model: type[BaseModel], keys: tuple[Key, ...], detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "book":
        return str(context["expected"])
    if kind == "extra_forbidden":
        owner = _model_at(model, keys[:-1])
        return f"a known key: {nearest(str(keys[-1]), known_keys(owner) if owner else ())}"
    if kind == "literal_error":
        return "one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    return _KINDS.get(kind, str(detail["msg"]))


def _model_at(model: Any, keys: Sequence[Key]) -> type[BaseModel] | None:
    """The model of the value that these keys lead to."""
    annotation: Any = model
    for key in keys:
        owner = _model_in(annotation)
        if isinstance(key, str) and owner is not None:
            annotation = known_keys(owner).get(key)
    return _model_in(annotation)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside of `list[Model]`, `Model | None` and the like."""
    arguments = typing.get_args(annotation)
    if not arguments:
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        return annotation if is_model else None
    found = (_model_in(argument) for argument in arguments)
    return next((model for model in found if model is not None), None)


def note_repeated_keys(place: Place, problems: Problems) -> None:
    """Note the keys that a mapping has twice: only the last of them is there."""
    for key in place.value.duplicates if isinstance(place.value, Node) else ():
        problems.add(place, "each key once; this one is written twice", key)


def _note_duplicates(place: Place, problems: Problems) -> None:
    note_repeated_keys(place, problems)
    if isinstance(place.value, Node):
        for key in place.value:
            if isinstance(place.value[key], (dict, list)):
                _note_duplicates(place.at(key), problems)
    elif isinstance(place.value, list):
        for index, item in enumerate(place.value):
            if isinstance(item, (dict, list)):
                _note_duplicates(place.at(index), problems)
