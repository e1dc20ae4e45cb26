"""Metrics' expressions at landing: each sets a property of the event, and an event for which one fails is refused.

Every expression reads the event as it was sent; the metric's version in force at the event's time decides. The bulk is
computed in SQL, one pass for each expression of the catalogue; what that cannot vouch for is computed again one by one,
exactly and with a reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from dagster_project.lib.expressions import MACROS, EvaluationError, FormulaSql, evaluate, parse_formula
from dagster_project.lib.landing.events_sql import statement, statements
from dagster_project.lib.warehouse import Session

_PAGE_ROWS = 2000
_SCHEMA = pa.schema(
    [
        ("organization_id", pa.string()),
        ("code", pa.string()),
        ("billable_metric_code", pa.string()),
        ("field_name", pa.string()),
        ("expression", pa.string()),
        ("valid_from_at", pa.timestamp("us")),
        ("valid_to_at", pa.timestamp("us")),
    ]
)
_VALUES = pa.schema(
    [
        ("file_id", pa.int64()),
        ("line_number", pa.int64()),
        ("billable_metric_code", pa.string()),
        ("result", pa.string()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class MetricFormula:
    """The expression of a version of a metric, in force from `valid_from_at` until before `valid_to_at`."""

    organization_id: str
    code: str
    billable_metric_code: str
    field_name: str
    expression: str
    valid_from_at: datetime
    valid_to_at: datetime | None


def read_formulas(session: Session) -> list[MetricFormula]:
    """The expressions of the catalogue as it was landed last."""
    raw = session.schema("raw")
    return [MetricFormula(*row) for row in session.rows(statement("events_formulas", raw=raw))]


class FormulaStep:
    """Applies expressions to the parsed events of a landing transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, formulas: Sequence[MetricFormula]) -> None:
        """Prepare a connection whose time zone is UTC."""
        self.connection = connection
        self.formulas = formulas
        for macro in MACROS if formulas else ():
            connection.execute(macro)

    @property
    def codes(self) -> list[str]:
        """The codes of the events that an expression may read."""
        return sorted({formula.code for formula in self.formulas})

    def apply(self, *, kept_characters: int) -> None:
        """Set the properties in landing_parsed; events that fail go to landing_rejected with their text."""
        if not self.formulas:
            return
        columns = [
            pa.array([getattr(formula, field.name) for formula in self.formulas], field.type) for field in _SCHEMA
        ]
        self._create("landing_formulas", pa.Table.from_arrays(columns, schema=_SCHEMA))
        self.connection.execute(statement("events_formula_results"))
        for expression in sorted({formula.expression for formula in self.formulas}):
            self._compute(expression)
        for part in statements("events_formulas_applied", kept_characters=kept_characters):
            self.connection.execute(part)

    def _compute(self, expression: str) -> None:
        sql = FormulaSql(parse_formula(expression))
        rows = statement("events_formula_rows", readings=sql.readings("parsed.properties"))
        given = {"expression": expression, **sql.reading_parameters()}
        select = sql.select(rows, "file_id, line_number, billable_metric_code, field_name")
        self.connection.execute(
            f"insert into landing_formula_results select *, null from ({select})", {**given, **sql.parameters}
        )
        for page in self._doubtful(rows, given):
            self._create("landing_formula_values", page)
            self.connection.execute(statement("events_formula_values"))
            self.connection.execute("drop table landing_formula_values")

    def _doubtful(self, rows: str, given: dict[str, str]) -> Iterator[pa.Table]:
        """What has no result yet, computed one by one: pages of results or reasons."""
        formula = parse_formula(given["expression"])
        names = formula.properties()
        self.connection.execute(
            "create temp table landing_formula_doubtful as "
            "select row_number() over () as place, rows.* exclude (field_name) "
            f"from ({rows}) as rows inner join landing_formula_results as results "
            "using (file_id, line_number, billable_metric_code) where results.result is null",
            given,
        )
        [(count,)] = self.connection.execute("select count(*) from landing_formula_doubtful").fetchall()
        for first in range(1, count + 1, _PAGE_ROWS):
            page = self.connection.execute(
                "select * exclude (place) from landing_formula_doubtful where place >= ? and place < ?",
                [first, first + _PAGE_ROWS],
            ).fetchall()
            judged = []
            for file_id, number, metric, code, seconds, *texts in page:
                result, reason = None, None
                try:
                    properties = dict(zip(names, texts, strict=True))
                    result = evaluate(formula, code=code, seconds=seconds, properties=properties)
                except EvaluationError as error:
                    reason = f"the expression of the metric {metric} has no value: {error} of {formula.text!r}."
                judged.append((file_id, number, metric, result, reason))
            arrays = [pa.array(list(c), f.type) for c, f in zip(zip(*judged, strict=True), _VALUES, strict=True)]
            yield pa.Table.from_arrays(arrays, schema=_VALUES)
        self.connection.execute("drop table landing_formula_doubtful")

    def _create(self, table: str, rows: pa.Table) -> None:
        self.connection.register("landing_rows", rows)
        self.connection.execute(f"create or replace temp table {table} as select * from landing_rows")
        self.connection.unregister("landing_rows")
