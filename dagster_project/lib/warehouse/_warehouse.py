"""Where billing data lives, and what differs by engine outside of SQL: connections, locks, dbt's profile."""

import hashlib
import os
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import psycopg2
import psycopg2.extensions
from psycopg2.extensions import make_dsn, parse_dsn

from dagster_project.lib.errors import BillingError, InputError, WarehouseBusyError
from dagster_project.lib.warehouse._lock import advisory_lock, file_lock
from dagster_project.lib.warehouse._session import DuckDBSession, PostgresSession, Session, split_schema
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES

Waiting = Callable[[str], None]
# how long a program that has the file open without our lock is waited for
_FOREIGN_SECONDS = 5.0
# how long a statement waits for a table that another session keeps from it (a reader's transaction that was left open)
_LOCK_SECONDS = 300
# what an address says of encryption and certificates; the names of libpq, whose variables are PG and the name in capitals
_SECURITY = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_SHOWN = 5
# of a process's memory, what Python, its libraries and what DuckDB does not count take
_REST_BYTES = 600 * 10**6
# of databases of DuckDB, and of the schemas in ours
_TAKEN_NAMES = ("main", "temp", "system", "raw", "reference", "staging", "intermediate", "gate", "ledger", "marts")
# files that a connection of this process holds open
_KEPT_OPEN: set[Path] = set()
# of events, told and not tried: what hardly compresses is stored as it is, for landing and metering pay for the trying; so
# are properties, of which little is read again (compressed they take a third of the room, and half a second of 10 M)
_COMPRESSION = {
    **dict.fromkeys(("transaction_id", "key_hash", "properties", "event_at"), "uncompressed"),
    **dict.fromkeys(("organization_id", "external_subscription_id", "code", "item", "facets"), "dict_fsst"),
    # null, or the same, in most rows
    **dict.fromkeys(("received_at", "precise_total_amount_cents", "is_remove", "file_id", "batch_id"), "rle"),
}


class Warehouse(ABC):
    """A warehouse that may be written by one process at a time (see `warehouse_lock`)."""

    kind: str
    memory_limit: str | None
    """What a process may take, as DuckDB writes sizes; None: what DuckDB takes by itself."""

    @property
    def engine_memory(self) -> str | None:
        """What of it is DuckDB's. Raises InputError for what is no size."""
        return None if self.memory_limit is None else _engine_memory(self.memory_limit)

    @abstractmethod
    def connect(self, *, read_only: bool = False) -> AbstractContextManager[Session]:
        """Open a session; closed at the end of the `with` block. Open late and close early."""

    def drop_schemas(self) -> None:
        """Drop all that lies under a prefix of its own (`schema`)."""
        prefix = f"{self.schema_prefix}_"
        with self.connect() as session:
            for (schema,) in session.rows(
                "select distinct schema_name from information_schema.schemata where left(schema_name, ?) = ?",
                [len(prefix), prefix],
            ):
                session.execute(f'drop schema "{schema}" cascade')

    def kept_open(self) -> AbstractContextManager[None]:
        """Within the block opening a session costs little, where it would cost a part of every step."""
        return nullcontext()

    @abstractmethod
    def lock(
        self, *, purpose: str, timeout_seconds: float, waiting: Waiting | None
    ) -> AbstractContextManager[Callable[[], None]]:
        """The one writer's lock, with a check that it is still held; use `warehouse_lock`, which can be nested."""

    @abstractmethod
    def dbt_environment(self) -> dict[str, str]:
        """The environment variables that dbt_project/profiles.yml reads for this warehouse."""

    @property
    @abstractmethod
    def operations_url(self) -> str:
        """Where outbox, deliveries and documents are recorded (SQLite beside DuckDB, else the database)."""

    @property
    def operations_schema(self) -> str:
        """The schema of that in a database, so that the warehouses of one database tell and record for themselves."""
        return split_schema(self.schema_prefix, "operations")

    @property
    @abstractmethod
    def schema_prefix(self) -> str:
        """`main` or `public` for a warehouse with plain schema names, else the prefix of its schemas."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether anything was ever landed here."""

    def create_raw_tables(self) -> None:
        """Create the schema `raw` and its tables; one of an earlier version gets what came since, empty.

        Raises BillingError when something is missing that was there: an empty table or column in its place would be
        billed from.
        """
        with self.connect() as session, session.transaction():
            raw = session.schema("raw")
            session.execute(f"create schema if not exists {raw}")
            session.execute(f"create table if not exists {raw}.prepared (version varchar)")
            there: dict[str, set[str]] = defaultdict(set)
            for table_name, column in session.rows(
                "select table_name, column_name from information_schema.columns where table_schema = ?", [raw]
            ):
                there[table_name].add(column)
            version = self._raw_version(raw)
            if session.rows(f"select version from {raw}.prepared") == [(version,)]:
                _require_columns(there, raw, self)
                return
            for table in RAW_TABLES:
                columns = ", ".join(
                    f"{name} {type_}{self._storage(table.name, name)}" for name, type_ in table.all_columns.items()
                )
                session.execute(f"create table if not exists {raw}.{table.name} ({columns})")
                if table.name in there:
                    for name, type_ in table.all_columns.items():
                        if name not in there[table.name]:
                            session.execute(f"alter table {raw}.{table.name} add column {name} {type_}")
            for index in self._indexes(raw):
                session.execute(index)
            session.execute(f"delete from {raw}.prepared")
            session.insert(f"{raw}.prepared", ["version"], [(version,)])

    def _raw_version(self, raw: str) -> str:
        """A hash over what `create_raw_tables` makes."""
        tables = [(table.name, *table.all_columns.items()) for table in RAW_TABLES]
        return hashlib.sha256(repr((tables, self._indexes(raw))).encode()).hexdigest()

    def _indexes(self, _raw: str) -> tuple[str, ...]:
        """Statements for indexes where the engine profits from them; none by default."""
        return ()

    def _storage(self, _table: str, _column: str) -> str:
        """What follows a column's type where the engine should store it in another way than by its own choice."""
        return ""


@dataclass(frozen=True, slots=True)
class DuckDBWarehouse(Warehouse):
    """A DuckDB file; `schema` other than `main` prefixes every schema of the house."""

    path: Path
    memory_limit: str | None = None
    schema: str = "main"
    kind = "duckdb"

    def __str__(self) -> str:
        """The file's path."""
        return str(self.path)

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[Session]:
        """See Warehouse. Times are UTC; no extension is ever downloaded."""
        # DuckDB opens a file in one way at a time in a process
        connection = self._opened(read_only=read_only and self.path.resolve() not in _KEPT_OPEN)
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield DuckDBSession(connection, self.schema)
        finally:
            connection.close()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """See Warehouse. Reading and checking a file's catalogue takes longer than most of what is asked of it."""
        path = self.path.resolve()
        connection = self._opened(read_only=False)
        _KEPT_OPEN.add(path)
        try:
            yield
        finally:
            _KEPT_OPEN.discard(path)
            connection.close()

    def _opened(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """A connection; a process that has the file open without our lock (a shell, a BI tool) is given some seconds."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _FOREIGN_SECONDS
        pause = 0.1
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=self.settings)
            except duckdb.Error as error:
                if "Could not set lock" not in str(error):
                    raise InputError(
                        f"The warehouse {self.path} cannot be opened: {error}. If the file is damaged, restore it from a "
                        "backup; nothing is billed from it meanwhile."
                    ) from error
                if time.monotonic() >= deadline:
                    raise WarehouseBusyError(
                        f"The warehouse {self.path} is open in another program: {error} "
                        "Close it there (the published marts can be read at any time) and run the command again."
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _storage(self, table: str, column: str) -> str:
        """See Warehouse. Choosing, as DuckDB does by itself, takes a third of the time in which it stores an event."""
        compression = _COMPRESSION.get(column) if table == "usage_events" else None
        return f" using compression {compression}" if compression else ""

    @property
    def settings(self) -> dict[str, str | bool | int | float | list[str]]:
        """DuckDB's settings, the same for every connection of a process and as in profiles.yml (it refuses differing ones)."""
        return {"autoinstall_known_extensions": False, "memory_limit": self.engine_memory or "80%"}

    def lock(
        self, *, purpose: str, timeout_seconds: float, waiting: Waiting | None
    ) -> AbstractContextManager[Callable[[], None]]:
        """See Warehouse."""
        path = self.path.with_suffix(self.path.suffix + ".lock")
        return file_lock(path, purpose=purpose, timeout_seconds=timeout_seconds, waiting=waiting)

    def dbt_environment(self) -> dict[str, str]:
        """See Warehouse."""
        return {
            "METERHOUSE_TARGET": "duckdb",
            "METERHOUSE_DUCKDB_PATH": str(self.path.resolve()),
            "METERHOUSE_SCHEMA": self.schema,
            "METERHOUSE_DUCKDB_MEMORY": self.engine_memory or "",
        }

    @property
    def operations_url(self) -> str:
        """See Warehouse."""
        return f"sqlite:///{self.path.resolve().with_suffix('.operations.sqlite')}"

    @property
    def schema_prefix(self) -> str:
        """See Warehouse."""
        return self.schema

    def exists(self) -> bool:
        """See Warehouse."""
        return self.path.exists()


@dataclass(frozen=True, slots=True)
class PostgresWarehouse(Warehouse):
    """A PostgreSQL database; `schema` other than `public` prefixes every schema of the house."""

    url: str
    schema: str = "public"
    memory_limit: str | None = None
    kind = "postgres"

    def __str__(self) -> str:
        """Host, database and schema, never the password."""
        parts = parse_dsn(self.url)
        place = f"{parts.get('host', 'local')}:{parts.get('port', '5432')}"
        return f"postgresql://{place}/{parts.get('dbname', '')}#{self.schema}"

    @property
    def writers(self) -> str:
        """The name of the sessions that write here, dbt's as well: who takes the lock ends what a dead one left."""
        return f"meterhouse writes {self.schema}"[:63]

    def raw_connection(self, name: str = "meterhouse") -> psycopg2.extensions.connection:
        """A plain connection in autocommit mode, UTC; `name` is what the server shows of it. Raises InputError without a server."""
        try:
            connection = psycopg2.connect(self.url, application_name=name)
        except psycopg2.OperationalError as error:
            raise InputError(
                f"The PostgreSQL warehouse {self} cannot be reached: {str(error).strip()}. "
                "Check the address, the user and that the server runs."
            ) from error
        connection.autocommit = True
        with connection.cursor() as cursor:
            # a database or a role may have settings of its own; how dates are written, psycopg2 sets
            cursor.execute("set timezone = 'UTC'")
            cursor.execute(
                "select set_config('lock_timeout', %s, false) where current_setting('lock_timeout') = '0'",
                (f"{_LOCK_SECONDS}s",),
            )
        return connection

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[Session]:
        """See Warehouse."""
        connection = self.raw_connection("meterhouse reads" if read_only else self.writers)
        try:
            if read_only:
                connection.set_session(readonly=True)
            yield PostgresSession(connection, self.schema)
        finally:
            connection.close()

    def lock(
        self, *, purpose: str, timeout_seconds: float, waiting: Waiting | None
    ) -> AbstractContextManager[Callable[[], None]]:
        """See Warehouse."""
        return advisory_lock(
            self.raw_connection,
            f"meterhouse:{self.schema}",
            purpose=purpose,
            writers=self.writers,
            timeout_seconds=timeout_seconds,
            waiting=waiting,
        )

    def dbt_environment(self) -> dict[str, str]:
        """See Warehouse."""
        parts = parse_dsn(self.url)
        return {
            "METERHOUSE_TARGET": "postgres",
            "METERHOUSE_PG_HOST": parts.get("host", "/var/run/postgresql"),
            "METERHOUSE_PG_PORT": str(parts.get("port", "5432")),
            "METERHOUSE_PG_USER": parts.get("user", os.environ.get("PGUSER", "postgres")),
            "METERHOUSE_PG_PASSWORD": parts.get("password", os.environ.get("PGPASSWORD", "")),
            "METERHOUSE_PG_DATABASE": parts.get("dbname", parts.get("user", "postgres")),
            "METERHOUSE_PG_SESSION": self.writers,
            "METERHOUSE_SCHEMA": self.schema,
            # what libpq sets in the sessions of dbt
            "PGTZ": "UTC",
            "PGOPTIONS": _options(parts.get("options") or os.environ.get("PGOPTIONS", "")),
            **{f"PG{name.upper()}": parts[name] for name in _SECURITY if name in parts},
        }

    @property
    def operations_url(self) -> str:
        """See Warehouse."""
        parts = parse_dsn(self.url)
        query = f"?host={parts['host']}" if parts.get("host", "").startswith("/") else ""
        if not query:
            return self.url
        user = parts.get("user", "")
        return f"postgresql://{user}@/{parts.get('dbname', '')}{query}&port={parts.get('port', '5432')}"

    @property
    def schema_prefix(self) -> str:
        """See Warehouse."""
        return self.schema

    def exists(self) -> bool:
        """See Warehouse."""
        with self.connect(read_only=True) as session:
            # information_schema shows what the user has rights on
            found = session.rows("select 1 from pg_catalog.pg_namespace where nspname = ?", [session.schema("raw")])
        return bool(found)

    def _indexes(self, raw: str) -> tuple[str, ...]:
        """See Warehouse."""
        # names may be longer than an entry of an index; their hashes are not
        return (
            f"create unique index if not exists usage_events_identity on {raw}.usage_events "
            "(transaction_id, md5(external_subscription_id), md5(organization_id))",
            f"drop index if exists {raw}.usage_events_key",
        )


@cache
def _engine_memory(limit: str) -> str:
    """A size, or a part of the machine's memory like 50%, less the rest of a process: at most half."""
    if limit.endswith("%"):
        return limit
    try:
        with duckdb.connect() as connection:
            [(size,)] = connection.execute("select parse_formatted_bytes(?)::bigint", [limit]).fetchall()
    except duckdb.Error as error:
        raise InputError(f"The memory limit {limit!r} cannot be read: {error}. Write it like 4GB.") from error
    return f"{max(size // 2, size - _REST_BYTES)}B"


def _options(asked: str) -> str:
    """What is asked of a session, and how long it waits for a lock where that does not say it."""
    return asked if "lock_timeout" in asked else f"{asked} -c lock_timeout={_LOCK_SECONDS}s".strip()


def _require_columns(there: Mapping[str, set[str]], raw: str, warehouse: Warehouse) -> None:
    missing = []
    for table in RAW_TABLES:
        if table.name not in there:
            missing.append(f"{raw}.{table.name}")
        else:
            missing += [f"{raw}.{table.name}.{name}" for name in table.all_columns if name not in there[table.name]]
    if missing:
        raise BillingError(
            f"The warehouse {warehouse} had {', '.join(missing[:_SHOWN])}{' and more' if len(missing) > _SHOWN else ''} "
            "and has it no more. Nothing was landed or billed. Restore the warehouse from a backup that holds it."
        )


def open_warehouse(location: str | Path, memory_limit: str | None = None) -> Warehouse:
    """The warehouse at a DuckDB file path or a `postgresql://` address.

    A `#name` at the end of an address selects a schema prefix. Raises InputError for anything else with a scheme.
    """
    text = str(location)
    if text.startswith(("postgresql://", "postgres://")):
        address, _, schema = text.partition("#")
        try:
            make_dsn(address)
        except psycopg2.ProgrammingError as error:
            raise InputError(f"The warehouse address {text!r} cannot be read: {str(error).strip()}") from error
        return PostgresWarehouse(address, schema or "public", memory_limit)
    if "://" in text:
        raise InputError(
            f"The warehouse {text!r} is neither a DuckDB file path nor a postgresql:// address. "
            "Give --warehouse PATH or --warehouse postgresql://user@host/database."
        )
    path = Path(os.path.realpath(text))
    # dbt reads a path as an address with parts; the engine names the database after the file, up to a point, and takes
    # the name before that of a schema, dbt the whole of it
    if set(str(path)) & set("?#;") or set(path.stem) & set(".:'\"") or path.stem.lower() in _TAKEN_NAMES:
        raise InputError(
            f"The warehouse {text!r} cannot be a DuckDB file: its path may have none of ? # ; and its name, before the suffix, "
            f"no point, colon or quote, nor be one of {', '.join(_TAKEN_NAMES)}. Give another --warehouse PATH."
        )
    # through a link the file would have another lock, and its log another name
    return DuckDBWarehouse(path, memory_limit)
