"""A relation of a PostgreSQL warehouse as batches of texts: its expressions are evaluated where it lies."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
import pyarrow as pa

from dagster_project.lib.errors import InputError
from dagster_project.lib.landing.events_mapping import Expression, literal, quoted
from dagster_project.lib.warehouse import Session

_FETCHED_ROWS = 20_000
_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
_FLOATS = (700, 701)


def relation_batches(
    session: Session, relation: str, expressions: Sequence[Expression] | None
) -> tuple[tuple[str, ...], Iterator[pa.RecordBatch]]:
    """The names of the columns, all texts, and the rows with line_number before them.

    A further column of a relation with docs/book.md's names comes as text and is a property. Raises
    InputError when the relation or an expression does not work.
    """
    connection: Any = session.connection  # type: ignore[attr-defined]
    rows = f"select *, {literal(relation)}::text as file_name, row_number() over () as line_number"
    try:
        if expressions is None:
            rows = "select *"
            names = _described(connection, f"select * from {relation}")
            sql = {name: quoted(name) for name in names}
        else:
            sql = {e.field: f"({e.sql})" for e in expressions}
        shown = ", ".join(f"{text} as {quoted(name)}" for name, text in sql.items())
        types = _described(connection, f"select {shown} from ({rows} from {relation}) as source")
    except psycopg2.Error as error:
        raise InputError(
            f"events/sources.yaml: the relation {relation} cannot be read: "
            f"{str(error).splitlines()[0]}. Check its name, its columns and the expressions."
        ) from error
    texts = ", ".join(_text(text, types[name]) for name, text in sql.items())
    query = f"select {texts} from ({rows} from {relation}) as source"
    return tuple(sql), _fetched(connection, relation, query, tuple(sql))


def _described(connection: Any, query: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(f"{query} limit 0")
        return {column.name: column.type_code for column in cursor.description}


def _text(sql: str, type_code: int) -> str:
    if type_code == _TIMESTAMPTZ:
        sql = f"{sql} at time zone 'UTC'"
    if type_code in (_DATE, _TIMESTAMP, _TIMESTAMPTZ):
        return f"""to_char(({sql})::timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if type_code in _FLOATS:
        # 1e-05 is a number, where its text is none
        return f"case when {sql}::text like '%e%' then {sql}::text::numeric::text else {sql}::text end"
    return f"{sql}::text"


def _fetched(connection: Any, relation: str, query: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    number = 1
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"declare landing_relation no scroll cursor for {query}")
            while True:
                cursor.execute(f"fetch {_FETCHED_ROWS} from landing_relation")
                rows = cursor.fetchall()
                if not rows:
                    break
                columns = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
                numbers = pa.array(range(number, number + len(rows)), pa.int64())
                number += len(rows)
                yield pa.record_batch([numbers, *columns], names=["line_number", *names])
            cursor.execute("close landing_relation")
    except psycopg2.Error as error:
        raise InputError(
            f"The relation {relation} cannot be read: {str(error).splitlines()[0]}. Nothing of it was landed."
        ) from error
