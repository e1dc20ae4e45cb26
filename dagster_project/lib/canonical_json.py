"""Canonical JSON: names sorted, no spaces, letters as they are. Equal values have equal texts."""

import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """A plain value as JSON. Raises TypeError or ValueError for what JSON does not know."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def canonical_object(members: Mapping[str, str]) -> str:
    """An object of members that are canonical JSON already; their names need no escape."""
    return "{" + ",".join([f'"{name}":{members[name]}' for name in sorted(members)]) + "}"
