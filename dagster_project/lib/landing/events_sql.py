"""The SQL files beside this module: statements by file, with `{{ name }}` filled in."""

from functools import cache
from pathlib import Path


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")


def statements(name: str, **values: str | int) -> list[str]:
    """The statements of `name`.sql, in order."""
    text = _text(name)
    for key, value in values.items():
        text = text.replace("{{ " + key + " }}", str(value))
    return [part.strip() for part in text.split(";\n") if part.strip(" \n;")]


def statement(name: str, **values: str | int) -> str:
    """The only statement of `name`.sql."""
    [only] = statements(name, **values)
    return only
