"""Layouts of events: which properties the catalogue reads of a code's events, so that landing takes them out once.

A layout belongs to an organisation and an event code and never changes; when the catalogue reads something else, there is a
further one. `raw.usage_events` names the layout by which an event's columns were filled: `quantity`, `item`, `is_remove` and
`facets` are a cache of `properties`, good as long as the catalogue still asks for that layout.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from dagster_project.lib.landing.events_mapping import literal
from dagster_project.lib.landing.events_sql import statement
from dagster_project.lib.warehouse import Session

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
        ("shape", pa.int64()),
        ("facets_count", pa.int64()),
        ("is_counted", pa.bool_()),
    ]
)
_NOTHING = "null::varchar[]"


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

    @property
    def paths(self) -> tuple[str, ...]:
        """JSON pointers to what is read: the facets, then the measured property, then operation_type."""
        names = [*self.facet_keys]
        if self.measured_field is not None:
            names.append(self.measured_field)
            if self.is_counted:
                names.append("operation_type")
        return tuple("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


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


def create_layouts(connection: duckdb.DuckDBPyConnection, layouts: Sequence[EventLayout]) -> str:
    """Fill landing_layouts with recorded layouts; the SQL of the list of texts that a row's shape takes from its properties.

    Layouts that take the same properties share a shape, so that the SQL has a branch for each shape, not for each code.
    """
    shapes = {paths: number for number, paths in enumerate(sorted({layout.paths for layout in layouts}), 1)}
    rows = [
        (
            layout.organization_id,
            layout.event_code,
            layout.layout_id,
            shapes[layout.paths],
            len(layout.facet_keys),
            layout.is_counted and layout.measured_field is not None,
        )
        for layout in layouts
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_PLACES)
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, _PLACES, strict=True)]
    connection.register("landing_rows", pa.Table.from_arrays(arrays, schema=_PLACES))
    connection.execute("create or replace temp table landing_layouts as select * from landing_rows")
    connection.unregister("landing_rows")
    branches = "".join(
        f" when {number} then json_extract_string(properties, [{', '.join(map(literal, paths))}])"
        for paths, number in shapes.items()
        if paths
    )
    return f"case shape{branches} end" if branches else _NOTHING
