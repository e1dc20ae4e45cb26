"""One connection to a warehouse, with the same few calls on both engines."""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import duckdb
import psycopg2.extensions
import pyarrow as pa

from dagster_project.lib.arrow import table_of


class Session(Protocol):
    """A connection. SQL uses `?` for parameters and must not contain a literal `?`."""

    kind: str

    def schema(self, name: str) -> str:
        """The full name of one of the house's schemas (`raw`, `ledger`, …) in this warehouse."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement without a result."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and fetch all of it; decimals come as `Decimal`, timestamps naive in UTC."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Append rows in bulk (for small tables: records, scopes); returns how many."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; nested calls join the outer transaction."""


def split_schema(prefix: str, name: str) -> str:
    """The engine's name of a house schema: bare in the warehouse's default schema, prefixed elsewhere."""
    return name if prefix in {"main", "public"} else f"{prefix}_{name}"


def named_rows(
    session: Session, sql: str, columns: Sequence[str], parameters: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    """The rows of a query as mappings with the given column names, in order."""
    return [dict(zip(columns, row, strict=True)) for row in session.rows(sql, parameters)]


def tables_of(session: Session, schema: str) -> set[str]:
    """The names of the tables and views of a schema, by the schema's full name; none where there is no such schema."""
    rows = session.rows("select table_name from information_schema.tables where table_schema = ?", [schema])
    return {name for (name,) in rows}


class DuckDBSession:
    """A session on a DuckDB file."""

    kind = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, prefix: str) -> None:
        """Wrap an open connection."""
        self.connection = connection
        self._prefix = prefix
        self._depth = 0

    def schema(self, name: str) -> str:
        """See Session."""
        return split_schema(self._prefix, name)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """See Session."""
        self.connection.execute(sql, list(parameters) or None)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Session."""
        return self.connection.execute(sql, list(parameters) or None).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """See Session. Values travel as text in Arrow columns and are cast to the table's own types."""
        data = [list(row) for row in rows]
        if not data:
            return 0
        texts = [[None if value is None else _text(value) for value in row] for row in data]
        view = "incoming_rows"
        self.connection.register(view, table_of(texts, pa.schema([(name, pa.string()) for name in columns])))
        names = ", ".join(columns)
        self.connection.execute(f"insert into {table} ({names}) select {names} from {view}")
        self.connection.unregister(view)
        return len(data)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Session."""
        if self._depth == 0:
            self.connection.execute("begin")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self.connection.execute("rollback")
            raise
        self._depth -= 1
        if self._depth == 0:
            self.connection.execute("commit")


class PostgresSession:
    """A session on a PostgreSQL database."""

    kind = "postgres"

    def __init__(self, connection: psycopg2.extensions.connection, prefix: str) -> None:
        """Wrap an open connection in autocommit mode."""
        self.connection = connection
        self._prefix = prefix
        self._depth = 0

    def schema(self, name: str) -> str:
        """See Session."""
        return split_schema(self._prefix, name)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """See Session."""
        with self.connection.cursor() as cursor:
            self._run(cursor, sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Session."""
        with self.connection.cursor() as cursor:
            self._run(cursor, sql, parameters)
            fetched: list[tuple[Any, ...]] = cursor.fetchall()
            return fetched

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """See Session. Values travel as text through COPY and are cast to the table's own types."""
        buffer = io.StringIO()
        count = 0
        for row in rows:
            # in COPY's csv an unquoted empty field is null and a quoted one is the empty text
            fields = ("" if v is None else '"' + _text(v).replace('"', '""') + '"' for v in row)
            buffer.write(",".join(fields) + "\n")
            count += 1
        if count == 0:
            return 0
        buffer.seek(0)
        with self.connection.cursor() as cursor:
            cursor.copy_expert(f"copy {table} ({', '.join(columns)}) from stdin with (format csv)", buffer)
        return count

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Session."""
        if self._depth == 0:
            self.execute("begin")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0 and not self.connection.closed:
                self.execute("rollback")
            raise
        self._depth -= 1
        if self._depth == 0:
            self.execute("commit")

    @staticmethod
    def _run(cursor: psycopg2.extensions.cursor, sql: str, parameters: Sequence[Any]) -> None:
        if parameters:
            cursor.execute(sql.replace("%", "%%").replace("?", "%s"), list(parameters))
        else:
            cursor.execute(sql)


def _text(value: Any) -> str:
    """The text form both engines read back exactly: decimals in plain digits, booleans as words."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
