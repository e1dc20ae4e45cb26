"""Opening the operations store: a SQLite file or a schema of a PostgreSQL database."""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.operations._tables import metadata

_BUSY_TIMEOUT_MS = 30_000
_SHARED = "operations"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def open_engine(url: str, *, schema: str) -> Engine:
    """An engine whose tables exist.

    A warehouse of an earlier version, which recorded in the schema that all of its database shared, goes on there. Raises
    InputError for an address that is of no such store, or where no file can be made, BillingError for a store that cannot
    be opened.
    """
    try:
        dialect = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise InputError(_expected_url(url)) from error
    if dialect == "sqlite":
        engine = _sqlite(url)
    elif dialect in {"postgresql", "postgres"}:
        engine = _postgresql(url, schema)
    else:
        raise InputError(_expected_url(url))
    try:
        with engine.begin() as connection:
            if dialect != "sqlite":
                # "create if not exists" is not safe against itself on PostgreSQL: one at a time.
                connection.execute(text("select pg_advisory_xact_lock(hashtext('operations'))"))
                if _is_shared(connection, schema):
                    schema = _SHARED
                connection.execute(CreateSchema(schema, if_not_exists=True))
                engine = engine.execution_options(schema_translate_map={None: schema})
                connection.execution_options(schema_translate_map={None: schema})
            metadata.create_all(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        cause = " ".join(str(error.__cause__ or error).split())
        raise BillingError(
            f"The operations store {make_url(url).render_as_string()} could not be opened: "
            f"{cause}. Check that it can be reached and written to; if it is damaged, restore it from a backup."
        ) from error
    return engine


def _expected_url(url: str) -> str:
    scheme = url.partition(":")[0]
    return (
        f"The operations store can not be opened from a URL that begins with {scheme!r}. Expected "
        "`sqlite:///` followed by an absolute path, or `postgresql://user@host/database`."
    )


def _sqlite(url: str) -> Engine:
    path = Path(make_url(url).database or "")
    if not path.is_absolute():
        raise InputError(_expected_url(url))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file holds the signing secrets: nobody but its owner reads it.
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The operations store {path} can not be made: {error.strerror}. Give the path of a "
            "file in a folder that can be written to."
        ) from error
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions late and commit some early; _begin_immediate does it.
    connection.isolation_level = None
    connection.execute(f"pragma busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma foreign_keys = on")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later can not be upgraded while another one writes.
    connection.exec_driver_sql("begin immediate")


def _postgresql(url: str, schema: str) -> Engine:
    if not _SCHEMA.fullmatch(schema):
        raise InputError(
            f"{schema!r} is no name for the schema of the operations store: use lower case "
            "letters, digits and underscores."
        )
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"),
        pool_pre_ping=True,
    )


def _is_shared(connection: Connection, schema: str) -> bool:
    """Whether the warehouse that `schema` is for has its control totals in the shared schema, and none of its own."""
    totals = f"{_SHARED}.landing_totals"
    own, shared = connection.execute(
        text("select to_regnamespace(:own) is not null, to_regclass(:totals) is not null"),
        {"own": schema, "totals": totals},
    ).one()
    if own or not shared:
        return False
    warehouse = schema.removesuffix(f"_{_SHARED}")
    found = text(f"select 1 from {totals} where warehouse = :warehouse limit 1")
    return connection.execute(found, {"warehouse": warehouse}).first() is not None
