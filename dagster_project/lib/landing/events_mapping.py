"""From a source's own columns to events: the SQL expressions of events/sources.yaml.

Whatever the source is, each of its rows becomes one JSON text with the field names of an event, and
from there on all sources are read alike. A timestamp that is text without an offset is UTC here; a
value of a time type is UTC as well.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.errors import InputError
from dagster_project.lib.event_judge import FIELDS

_TIMES = ("timestamp", "received_at")
_VOLATILE = re.compile(
    r"(?i)\b(random|now|today|uuid|uuidv[47]|gen_random_uuid|nextval|currval|getenv|get_current_\w+|"
    r"clock_timestamp|statement_timestamp|transaction_timestamp|pg_\w+|set_config|current_setting|"
    r"query|query_table|read_\w+|glob|lo_\w+|dblink\w*|setseed)\s*\("
)


@dataclass(frozen=True, slots=True)
class Expression:
    """One checked expression; `columns` are the names that it reads, as dotted paths."""

    field: str
    sql: str
    columns: tuple[str, ...]


def checked(mapping: Mapping[str, str], *, dialect: str) -> tuple[Expression, ...]:
    """The expressions of a mapping, in the order of FIELDS.

    `dialect` is duckdb or postgres. Raises InputError for anything but single expressions over the
    row: statements, comments, sub-selects, aggregates, and functions whose value is not the same
    every time.
    """
    return tuple(_checked(field, mapping[field], dialect) for field in FIELDS if field in mapping)


def _checked(field: str, sql: str, dialect: str) -> Expression:
    # most books map nothing, and its import takes a twentieth of a second
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    forbidden = (
        exp.Query,
        exp.Subquery,
        exp.AggFunc,
        exp.Window,
        exp.Placeholder,
        exp.Parameter,
        exp.Star,
        exp.Rand,
        exp.CurrentTimestamp,
        exp.CurrentDate,
        exp.CurrentTime,
        exp.Uuid,
    )
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
        if any(token.comments for token in tokens) or "--" in sql or "/*" in sql:
            raise _refused(field, sql, "it has a comment")
        if any(token.token_type == sqlglot.TokenType.SEMICOLON for token in tokens):
            raise _refused(field, sql, "it has a semicolon")
        statements = sqlglot.parse(f"select {sql}", read=dialect)
    except SqlglotError as error:
        raise _refused(field, sql, f"it cannot be parsed: {str(error).splitlines()[0]}") from error
    [select] = statements if len(statements) == 1 else [None]
    plain = {"kind", "expressions", "hint", "distinct", "limit", "operation_modifiers"}
    if not isinstance(select, exp.Select) or len(select.expressions) != 1:
        raise _refused(field, sql, "it is not one expression")
    if any(value for name, value in select.args.items() if name not in plain):
        raise _refused(field, sql, "it is more than an expression")
    root = select.expressions[0]
    if isinstance(root, exp.Alias):
        raise _refused(field, sql, "it names its result")
    for node in root.walk():
        if isinstance(node, forbidden):
            raise _refused(field, sql, f"it may not use {node.key}")
    if _VOLATILE.search(sql):
        raise _refused(field, sql, "it uses a function whose value is not given by the row alone")
    columns = dict.fromkeys(".".join(part.name for part in node.parts) for node in root.find_all(exp.Column))
    if dialect == "duckdb" and isinstance(root, exp.Column) and len(root.parts) == 1:
        # so that a column may bear the name of a keyword, such as at
        sql = quoted(root.name)
    return Expression(field, sql, tuple(columns))


def _refused(field: str, sql: str, why: str) -> InputError:
    return InputError(
        f"events/sources.yaml: the expression of {field}, {sql!r}, cannot be used: {why}. "
        "Write one SQL expression over the columns of the source, file_name and line_number."
    )


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def field_text(field: str, sql: str, type_name: str, *, assume_utc: bool) -> str:
    """The SQL (DuckDB) of a field's JSON value, from an expression of a DuckDB type.

    `assume_utc`: a timestamp that is text without an offset is UTC.
    """
    type_ = type_name.upper()
    if field == "properties":
        if type_ == "VARCHAR":
            return f"case when json_valid({sql}) then {sql} else to_json({sql})::varchar end"
        return f"to_json({sql})::varchar"
    if type_ in {"TIMESTAMP_NS", "TIMESTAMPTZ_NS"}:
        # cut, as a cast rounds; and strftime writes nanoseconds wrongly
        text = f"strftime(make_timestamp(epoch_ns({sql}) // 1000), '%Y-%m-%dT%H:%M:%S.%fZ')"
    elif type_.startswith(("TIMESTAMP", "DATE")):
        text = f"strftime(({sql})::timestamp, '%Y-%m-%dT%H:%M:%S.%fZ')"
    elif type_ == "JSON":
        text = f"(({sql}) ->> '$')"
    else:
        text = f"({sql})::varchar"
    if assume_utc and field in _TIMES and type_ == "VARCHAR":
        zoneless = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$"
        text = (
            f"case when regexp_matches({sql}, '{zoneless}') then "
            f"({sql}) || case when length({sql}) = 16 then ':00Z' else 'Z' end else ({sql}) end"
        )
    return f"to_json({text})::varchar"


def json_object(values: Mapping[str, str]) -> str:
    """The SQL of a JSON object from the SQL of its JSON values, of which those that are null are left out."""
    pairs = "".join(
        f", {literal(json.dumps(name, ensure_ascii=False) + ':')} || ({sql})" for name, sql in values.items()
    )
    return f"'{{' || concat_ws(','{pairs}) || '}}'" if pairs else "'{}'"


def native_line(fields: Mapping[str, str], properties: str, extra: Mapping[str, str]) -> str:
    """The SQL of an event's JSON text, from a source with the names of docs/book.md.

    `fields` has the JSON value of each field, `properties` a JSON object as text or null, `extra` the
    JSON value of each further column, which is a property under its own name.
    """
    own = "".join(
        f", {literal(json.dumps(name, ensure_ascii=False) + ':')} || ({sql}) || ','" for name, sql in extra.items()
    )
    # most objects have neither blanks nor a comma at their ends, and trimming takes longer than all the rest
    ends = "".join(f" and not ends_with({properties}, '{end}')" for end in (" }", ",}"))
    is_trimmed = (
        f"starts_with({properties}, '{{\"') and ends_with({properties}, '}}'){ends} and json_valid({properties})"
    )
    text = (
        f"case when {properties} is null then {json_object(extra)} "
        f"when {is_trimmed} then concat('{{'{own}, substr({properties}, 2)) "
        f"when json_valid({properties}) and starts_with(ltrim({properties}), '{{') "
        f"then '{{' || rtrim(concat(''{own}, trim(trim({properties})[2:-2])), ', ') || '}}' "
        f"else to_json({properties})::varchar end"
    )
    return json_object({**fields, "properties": text})


def native_csv_line(columns: Sequence[str]) -> str:
    """The SQL of an event's JSON text, from a CSV; an empty cell is an absent value."""
    cells = {name: f"nullif(c{i}, '')" for i, name in enumerate(columns)}
    values = {name: f"to_json({cell})::varchar" for name, cell in cells.items()}
    return native_line(
        {name: values[name] for name in FIELDS if name in cells and name != "properties"},
        cells.get("properties", "null::varchar"),
        {name: value for name, value in values.items() if name not in FIELDS},
    )


def native_typed_line(columns: Mapping[str, str], *, assume_utc: bool = False) -> str:
    """The SQL of an event's JSON text, from columns of DuckDB types (Parquet, a relation)."""
    extra = {
        name: f"to_json({_property(quoted(name), type_)})::varchar"
        for name, type_ in columns.items()
        if name not in FIELDS
    }
    fields = {
        name: field_text(name, quoted(name), columns[name], assume_utc=assume_utc)
        for name in FIELDS
        if name in columns and name != "properties"
    }
    properties = "null::varchar"
    if "properties" in columns:
        is_text = columns["properties"].upper() == "VARCHAR"
        properties = quoted("properties") if is_text else "to_json(properties)::varchar"
    return native_line(fields, properties, extra)


def _property(sql: str, type_name: str) -> str:
    """A column as a property: its text, exact and alike on every engine; nested values as JSON."""
    nested = type_name.upper().startswith(("STRUCT", "MAP", "JSON")) or type_name.endswith("]")
    if type_name.upper() in {"DOUBLE", "FLOAT"}:
        # 1e-05 is a number, where its text is none
        return f"case when contains({sql}::varchar, 'e') then to_json({sql}) else to_json({sql}::varchar) end"
    return sql if nested else f"{sql}::varchar"


def mapped_select(rows: str, expressions: Sequence[Expression], types: Mapping[str, str], *, file_id: int) -> str:
    """The SQL of the lines of a mapped source.

    `rows` gives the columns that the expressions read, and landing_number, landing_line (its text or
    null) and landing_problem. An expression that fails for a row fails that row alone.
    """
    tried = ", ".join(f"try(struct_pack(v := ({e.sql}))) as landing_{e.field}" for e in expressions)
    fails = " ".join(f"when landing_{e.field} is null then 'mapping_failed|{e.field}'" for e in expressions)
    texts = {e.field: field_text(e.field, f"landing_{e.field}.v", types[e.field], assume_utc=True) for e in expressions}
    checked_ = f"case when landing_problem is not null then landing_problem {fails} end as problem"
    return (
        f"select {file_id} as file_id, landing_number as line_number, "
        f"case when problem is null then {json_object(texts)} else coalesce(landing_line, '') end as line, "
        f"landing_line as raw, problem from (select *, {checked_} from "
        f"(select landing_number, landing_line, landing_problem, {tried} from ({rows})))"
    )


def json_columns(paths: Sequence[str]) -> str:
    """The SQL columns of the dotted paths that expressions read from JSON lines, as text."""
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for part in path.split("."):
            node = node.setdefault(part, {})
    return "".join(f", {_json_column(key, node, (key,))} as {quoted(key)}" for key, node in tree.items())


def _json_column(key: str, node: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if node:
        parts = (f"{quoted(name)} := {_json_column(name, below, (*path, name))}" for name, below in node.items())
        return f"struct_pack({', '.join(parts)})"
    return f"json_extract_string(landing_json, {literal(json_path(path))})"


def json_path(path: Sequence[str]) -> str:
    """A path into a JSON object, each step quoted."""
    return "$" + "".join('."' + step + '"' for step in path)


def inexact_value(paths: Sequence[str]) -> str:
    """The SQL of the first of the paths whose value is not the number that its line has, or null."""
    branches = " ".join(
        f"when landing_is_inexact(json_extract_string(line, {literal(json_path(path.split('.')))}), line) "
        f"then {literal(path)}"
        for path in paths
    )
    return f"case {branches} end" if branches else "null"
