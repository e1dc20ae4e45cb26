"""The SQL files beside this module: statements by file, with `{{ name }}` filled in."""

import re
from functools import cache
from pathlib import Path

_PLACE = re.compile(r"\{\{ (\w+) \}\}")


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")


def statements(name: str, **values: str | int) -> list[str]:
    """The statements of `name`.sql, in order."""
    parts = [part.strip() for part in _text(name).split(";\n") if part.strip(" \n;")]
    # at once, so that what is filled in is never looked at again: it may have texts of the catalogue
    return [_PLACE.sub(lambda place: str(values.get(place[1], place[0])), part) for part in parts]


def statement(name: str, **values: str | int) -> str:
    """The only statement of `name`.sql."""
    [only] = statements(name, **values)
    return only
