"""Reading what the gate judges: one whole number a check, computed by the models in dbt_project/models/gate."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.gate._checks import CHECKS, VOLUME_FLOOR_EVENTS, Check
from dagster_project.lib.warehouse import Session, tables_of
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES
from dagster_project.lib.words import plural

_ROWS_SHOWN = 10

_FINDING = ("organization_id", "external_customer_id", "relation", "row_key", "detail")
_EMPTINESS = ("subject", "relation", "needed_by", "rows_count", "needing_rows_count")
_CONTROL = ("control", "measured_in", "expected", "got")
_FILE = (
    "file_id", "file_path", "lines_count", "landed_count", "landed_rows_count", "duplicates_count",
    "duplicates_rows_count", "conflicts_count", "conflicts_rows_count", "rejected_count", "rejected_rows_count",
)  # fmt: skip
_VOLUME = (
    "organization_id", "billable_metric_code", "from_date", "to_date", "subscriptions_count", "events_count",
    "previous_events_count", "expected_events_count", "change_percent",
)  # fmt: skip

# what the gate reads, and what the ledger reads after it
_REQUIRED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "raw": {table.name: tuple(table.all_columns) for table in RAW_TABLES},
    "gate": {
        "gate_findings": ("rule", *_FINDING),
        "gate_held_customers": ("organization_id", "external_customer_id"),
        "gate_source_completeness": (),
        "gate_emptiness": _EMPTINESS,
        "gate_control_totals": _CONTROL,
        "gate_landed_files": (*_FILE, "is_tied"),
        "gate_volume": _VOLUME,
    },
    "intermediate": {
        name: ()
        for name in (
            "int_billing_moments", "int_customers_resolved", "int_event_fates", "int_fees_taxed",
            "int_invoices_scheduled", "int_invoices_taxed", "int_invoices_totalled", "int_postings", "int_usage_tiers",
        )
    },
}  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A check's number (None when it could not be read), in words, with a few of the rows behind it."""

    value: int | None
    observed: str
    rows: tuple[Row, ...] = ()


def read_figures(session: Session, checks: Sequence[Check] = CHECKS) -> dict[str, Figure]:
    """The figure of every check, by its name; relations that are missing leave figures without a value."""
    missing = _missing_relations(session)
    figures: dict[str, Figure] = {}
    for source in dict.fromkeys(check.source for check in checks):
        asked = [check for check in checks if check.source == source]
        if source == "relations":
            observed = f"missing: {', '.join(missing)}" if missing else "all there"
            rows = tuple({"relation": relation} for relation in missing)
            figures |= {check.name: Figure(len(missing), observed, rows) for check in asked}
        elif any(relation.startswith(f"{session.schema('gate')}.") for relation in missing):
            figures |= {check.name: Figure(None, "not checked, since a relation is missing") for check in asked}
        else:
            figures |= _READERS[source](session, asked)
    return figures


def held_customers_count(session: Session) -> int:
    """How many customers wait; 0 when the relation is missing, which blocks the close."""
    schema = session.schema("gate")
    if "gate_held_customers" not in tables_of(session, schema):
        return 0
    [(count,)] = session.rows(f"select count(*) from {schema}.gate_held_customers")
    return int(count)


def _missing_relations(session: Session) -> list[str]:
    """Relations, and columns as relation.column, that should be there and are not, by their names in the warehouse."""
    schemas = [session.schema(name) for name in _REQUIRED]
    present: dict[tuple[str, str], set[str]] = defaultdict(set)
    for schema, relation, column in session.rows(
        "select table_schema, table_name, column_name from information_schema.columns "
        f"where table_schema in ({', '.join('?' for _ in schemas)})",
        schemas,
    ):
        present[schema, relation].add(column)
    missing = []
    for name, relations in _REQUIRED.items():
        schema = session.schema(name)
        for relation, columns in relations.items():
            found = present.get((schema, relation))
            if found is None:
                missing.append(f"{schema}.{relation}")
            else:
                missing += [f"{schema}.{relation}.{column}" for column in columns if column not in found]
    return missing


def _emptiness(session: Session, checks: Sequence[Check]) -> dict[str, Figure]:
    rows = _named(session, "gate_emptiness", _EMPTINESS, "order by relation")
    figures = {}
    for check in checks:
        subject = [row for row in rows if row["subject"] == check.suite]
        empty = [row for row in subject if row["rows_count"] == 0 and row["needing_rows_count"] > 0]
        observed = "; ".join(
            f"{row['relation']} is empty, but needed by {plural(row['needing_rows_count'], 'row')} "
            f"of {row['needed_by']}"
            for row in empty
        )
        value = len(empty) if subject else None
        figures[check.name] = Figure(value, observed or "none is empty", tuple(empty))
    return figures


def _control(session: Session, checks: Sequence[Check]) -> dict[str, Figure]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in _named(session, "gate_control_totals", _CONTROL, "order by control, measured_in"):
        by_name[row["control"]].append(row)
    figures = {}
    for check in checks:
        units = by_name[check.name]
        differing = tuple(row for row in units if row["expected"] != row["got"])
        # a control by currency has no rows while there is no money to compare
        value = sum(abs(row["got"] - row["expected"]) for row in differing) if by_name else None
        observed = "; ".join(_two_sides(row) for row in differing or units)
        figures[check.name] = Figure(
            value, observed or ("nothing to compare" if by_name else "not computed"), differing
        )
    untied = figures.get("files_tied")
    if untied is not None and untied.value != 0:
        files = _named(session, "gate_landed_files", _FILE, f"where not is_tied order by file_id limit {_ROWS_SHOWN}")
        figures["files_tied"] = Figure(untied.value, untied.observed, tuple(files))
    return figures


def _two_sides(row: Row) -> str:
    if row["expected"] == row["got"]:
        return f"{row['got']:,} {row['measured_in']} on both sides"
    gap = row["got"] - row["expected"]
    return (
        f"{row['expected']:,} {row['measured_in']} expected, {row['got']:,} found "
        f"({abs(gap):,} too {'many' if gap > 0 else 'few'})"
    )


def _finding(session: Session, checks: Sequence[Check]) -> dict[str, Figure]:
    counts = _counts(session)
    return {check.name: _found(session, "rule = ?", [check.name], *counts.get(check.name, (0, 0))) for check in checks}


def _other_findings(session: Session, checks: Sequence[Check]) -> dict[str, Figure]:
    named = [check.name for check in CHECKS if check.source == "finding"]
    others = [counts for rule, counts in _counts(session).items() if rule not in named]
    condition = f"rule not in ({', '.join('?' for _ in named)})"
    total, customers = sum(count for count, _ in others), sum(customers for _, customers in others)
    return {check.name: _found(session, condition, named, total, customers) for check in checks}


def _counts(session: Session) -> dict[str, tuple[int, int]]:
    """Failing rows and customers concerned, by rule."""
    customers = "count(distinct organization_id || ' ' || external_customer_id)"
    relation = f"{session.schema('gate')}.gate_findings"
    return {
        rule: (count, concerned)
        for rule, count, concerned in session.rows(f"select rule, count(*), {customers} from {relation} group by rule")
    }


def _found(session: Session, condition: str, parameters: Sequence[str], count: int, customers: int) -> Figure:
    if count == 0:
        return Figure(0, "no failing row")
    tail = f"where {condition} order by organization_id, external_customer_id, relation, row_key limit {_ROWS_SHOWN}"
    rows = _named(session, "gate_findings", _FINDING, tail, parameters)
    return Figure(count, f"{plural(count, 'failing row')}: {plural(customers, 'customer')} held back", tuple(rows))


def _volume(session: Session, checks: Sequence[Check]) -> dict[str, Figure]:
    rows = [
        row
        for row in _named(session, "gate_volume", _VOLUME, "where change_percent is not null order by 1, 2, 3, 4")
        if row["expected_events_count"] >= VOLUME_FLOOR_EVENTS
    ]
    if not rows:
        return {check.name: Figure(0, "no period to compare with") for check in checks}
    figures = {}
    for check in checks:
        changes = [row["change_percent"] for row in rows]
        value = min(changes) if check.low is not None else max(changes)
        out = [row for row in rows if not _within(row["change_percent"], check.low, check.high)]
        figures[check.name] = Figure(value, f"{value:+,} %", tuple(_plain(row) for row in out[:_ROWS_SHOWN]))
    return figures


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _plain(row: Row) -> Row:
    """Dates as text: a report travels as JSON."""
    return {name: value if isinstance(value, int | str) else str(value) for name, value in row.items()}


def _named(
    session: Session, relation: str, columns: Iterable[str], tail: str, parameters: Sequence[Any] = ()
) -> list[Row]:
    names = tuple(columns)
    sql = f"select {', '.join(names)} from {session.schema('gate')}.{relation} {tail}"
    return [dict(zip(names, row, strict=True)) for row in session.rows(sql, parameters)]


_READERS = {
    "emptiness": _emptiness,
    "control": _control,
    "finding": _finding,
    "other_findings": _other_findings,
    "volume": _volume,
}
