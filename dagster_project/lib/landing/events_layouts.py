"""Layouts of events: which properties the catalogue reads of a code's events, so that landing takes them out once.

A layout belongs to an organisation and an event code and never changes; when the catalogue reads something else, there is a
further one. `raw.usage_events` names the layout by which an event's columns were filled: `quantity`, `item`, `is_remove` and
`facets` are a cache of `properties`, good as long as the catalogue still asks for that layout.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import duckdb
import pyarrow as pa

from dagster_project.lib.arrow import table_of
from dagster_project.lib.landing.events_mapping import literal
from dagster_project.lib.landing.events_sql import statement
from dagster_project.lib.warehouse import Session

_Read = TypeVar("_Read", bound=Hashable)
MEASURING = "'sum_agg', 'max_agg', 'latest_agg', 'weighted_sum_agg'"
_COLUMNS = (
    "layout_id",
    "organization_id",
    "event_code",
    "measured_field",
    "facet_keys",
    "is_measured",
    "is_counted",
    "batch_id",
)
_PLACES = pa.schema(
    [
        ("organization_id", pa.string()),
        ("code", pa.string()),
        ("layout_id", pa.int64()),
        ("measured_number", pa.int64()),
        ("facets_number", pa.int64()),
        ("is_counted", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class EventLayout:
    """What is read of the events of a code: one property as a quantity or an item, and facets in the order of their bytes.

    `measured_field` is null when the metrics of the code read different properties, or none. `is_measured`: all of its metrics
    read a quantity; `is_counted`: one of them counts unique items. `layout_id` is null until the layout is recorded.
    """

    organization_id: str
    event_code: str
    measured_field: str | None
    facet_keys: tuple[str, ...]
    is_measured: bool
    is_counted: bool
    layout_id: int | None = None

    @property
    def facet_keys_json(self) -> str:
        """The keys as a JSON array without blanks."""
        return json.dumps(self.facet_keys, ensure_ascii=False, separators=(",", ":"))


def read_layouts(session: Session) -> list[EventLayout]:
    """The layouts that the catalogue asks for as it was landed last; those that were used before have their number."""
    raw = session.schema("raw")
    keys: dict[tuple[str, str], set[str]] = {}
    for organization_id, code, key in session.rows(statement("events_layouts_facets", raw=raw)):
        keys.setdefault((organization_id, code), set()).add(key)
    wanted = [
        EventLayout(
            organization_id,
            code,
            field,
            tuple(sorted(keys.get((organization_id, code), ()))),
            is_measured,
            is_counted,
        )
        for organization_id, code, field, is_measured, is_counted in session.rows(
            statement("events_layouts_metrics", raw=raw, measuring=MEASURING)
        )
    ]
    known = {tuple(row[1:7]): row[0] for row in session.rows(f"select {', '.join(_COLUMNS)} from {raw}.event_layouts")}
    return [replace(layout, layout_id=known.get(_content(layout))) for layout in wanted]


def record_layouts(session: Session, layouts: Sequence[EventLayout], *, batch_id: int) -> list[EventLayout]:
    """The layouts, all of them recorded and numbered."""
    new = sorted((layout for layout in layouts if layout.layout_id is None), key=_content)
    if not new:
        return list(layouts)
    table = f"{session.schema('raw')}.event_layouts"
    [(last,)] = session.rows(f"select coalesce(max(layout_id), 0) from {table}")
    numbered = [replace(layout, layout_id=last + place) for place, layout in enumerate(new, 1)]
    session.insert(table, _COLUMNS, [(layout.layout_id, *_content(layout), batch_id) for layout in numbered])
    return [*(layout for layout in layouts if layout.layout_id is not None), *numbered]


def _content(layout: EventLayout) -> tuple[str, str, str | None, str, bool, bool]:
    return (
        layout.organization_id,
        layout.event_code,
        layout.measured_field,
        layout.facet_keys_json,
        layout.is_measured,
        layout.is_counted,
    )


def create_layouts(connection: duckdb.DuckDBPyConnection, layouts: Sequence[EventLayout]) -> dict[str, str]:
    """Fill landing_layouts with recorded layouts; the SQL of `measured` and of `facets` from a row's properties.

    Layouts that read the same have the same number there, so that the SQL has a branch for what is read, not for each code.
    """
    measured = _numbered([layout.measured_field for layout in layouts if layout.measured_field is not None])
    facets = _numbered([layout.facet_keys for layout in layouts if layout.facet_keys])
    rows = [
        (
            layout.organization_id,
            layout.event_code,
            layout.layout_id,
            0 if layout.measured_field is None else measured[layout.measured_field],
            facets.get(layout.facet_keys, 0),
            int(layout.is_counted and layout.measured_field is not None),
        )
        for layout in layouts
    ]
    connection.register("landing_rows", table_of(rows, _PLACES))
    connection.execute(
        "create or replace temp table landing_layouts as "
        "select * replace (is_counted = 1 as is_counted) from landing_rows"
    )
    connection.unregister("landing_rows")
    texts = {number: f"json_extract_string(properties, {literal(_pointer(name))})" for name, number in measured.items()}
    arrays = {
        number: f"to_json(json_extract_string(properties, [{', '.join(literal(_pointer(key)) for key in keys)}]))::varchar"
        for keys, number in facets.items()
    }
    return {"measured": _branches("measured_number", texts), "facets": _branches("facets_number", arrays)}


def _numbered(read: Iterable[_Read]) -> dict[_Read, int]:
    """What is read, numbered from 1; what most layouts read comes first."""
    return {value: number for number, (value, _) in enumerate(Counter(read).most_common(), 1)}


def _pointer(name: str) -> str:
    """A JSON pointer to a property, the same as the models' json_path."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _branches(column: str, texts: Mapping[int, str]) -> str:
    branches = "".join(f" when {number} then {sql}" for number, sql in texts.items())
    return f"case {column}{branches} end" if branches else "null::varchar"
