"""What is wrong with a book: every problem with its place, its value and what was expected."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dagster_project.lib.errors import InputError

_PRINTED_PROBLEMS = 50
_PRINTED_VALUE = 120
_COMPARED_NAMES = 2000
_LISTED_NAMES = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a book.

    `file` is relative to the book (or the case's path), `path` a path inside the file such as
    `plans[0].charges[1].properties.amount`, `line` the line (from 1) of the innermost mapping
    around the value, `value` the value as it was written and `expected` a noun phrase.
    """

    file: str
    line: int | None
    path: str
    field: str
    value: str
    expected: str

    def __str__(self) -> str:
        """`file:line path: got value; expected …` on one line."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        path = f" {self.path}" if self.path else ""
        return f"{place}{path}: got {self.value}; expected {self.expected}"


class BookError(InputError):
    """A book or a case cannot be read; `problems` has every mistake, and nothing was landed."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        """Keep the problems in the order of the files."""
        self.name = name
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(name, self.problems)

    def __str__(self) -> str:
        """A readable list, cut after 50 problems."""
        count = len(self.problems)
        noun, them = ("problem", "it") if count == 1 else ("problems", "them")
        lines = [f"{self.name} has {count} {noun} and was not read; correct {them} and read it again:"]
        lines += [f"  - {problem}" for problem in self.problems[:_PRINTED_PROBLEMS]]
        if count > _PRINTED_PROBLEMS:
            lines.append(f"  … and {count - _PRINTED_PROBLEMS} more.")
        return "\n".join(lines)


def shown(value: object) -> str:
    """A value as a message shows it: texts in quotes, nothing longer than a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    if isinstance(value, dict):
        text = "a mapping" if value else "an empty mapping"
    elif isinstance(value, list):
        text = f"a list of {len(value)}" if value else "an empty list"
    return text if len(text) <= _PRINTED_VALUE else text[:_PRINTED_VALUE] + "…"


def nearest(name: str, known: Collection[str]) -> str:
    """What to write in place of an unknown name: the nearest known one, else the few known."""
    if not known:
        return "there is none"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5) if len(known) <= _COMPARED_NAMES else []
    if close:
        return f'"{close[0]}" perhaps'
    return "one of " + ", ".join(sorted(known)) if len(known) <= _LISTED_NAMES else "none is like it"
