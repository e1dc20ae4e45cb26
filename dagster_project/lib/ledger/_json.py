"""SQL that writes canonical JSON, the same on both engines.

Each function takes SQL of a value and gives SQL of a text that is never null. Names of members are constants of this package.
"""

from collections.abc import Mapping, Sequence


def text(value: str) -> str:
    """A text or null."""
    return f"coalesce(cast(to_json(cast({value} as varchar)) as varchar), 'null')"


def whole(value: str) -> str:
    """An integer or null."""
    return f"coalesce(cast({value} as varchar), 'null')"


def word(value: str) -> str:
    """A date, or a word without anything to escape, as a text; or null."""
    return f"""coalesce('"' || cast({value} as varchar) || '"', 'null')"""


def exact(value: str) -> str:
    """A decimal with a scale as a text without zeros at its end; or null."""
    return word(f"rtrim(rtrim(cast({value} as varchar), '0'), '.')")


def members(values: Mapping[str, str], *, left_open: Sequence[str] = ()) -> list[str]:
    """An object of the given JSON, `values` being SQL by name; in pieces, between which the members left open belong."""
    pieces: list[list[str]] = [[]]
    for place, name in enumerate(sorted([*values, *left_open])):
        pieces[-1].append(f"""'{"," if place else "{"}"{name}":'""")
        if name in left_open:
            pieces.append([])
        else:
            pieces[-1].append(values[name])
    pieces[-1].append("'}'")
    return [f"concat({', '.join(piece)})" for piece in pieces]
