"""The SQL files beside this module: statements by file, with `{{ name }}` filled in."""

from functools import cache
from pathlib import Path


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")


def statements(name: str, **values: str | int) -> list[str]:
    """The statements of `name`.sql, in order."""
    parts = [part.strip() for part in _text(name).split(";\n") if part.strip(" \n;")]
    for key, value in values.items():
        parts = [part.replace("{{ " + key + " }}", str(value)) for part in parts]
    return parts


def statement(name: str, **values: str | int) -> str:
    """The only statement of `name`.sql."""
    [only] = statements(name, **values)
    return only
