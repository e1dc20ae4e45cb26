"""A read-only copy of the marts, so that analysts and BI tools are never locked out of a DuckDB warehouse."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

import duckdb

from dagster_project.lib.errors import BillingError, MeterhouseError
from dagster_project.lib.warehouse import DuckDBWarehouse, Session, Warehouse


def published_path(warehouse: DuckDBWarehouse) -> Path:
    """Where the published copy of a warehouse is."""
    return warehouse.path.with_suffix(".marts.duckdb")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the marts: its columns with their types, and of each slice how many rows it has and their hash.

    A slice is what one close finalised (null where rows have no close), or the whole table where it knows no closes.
    """

    columns: tuple[tuple[str, str], ...]
    slices: Mapping[int | None, tuple[int, int]]


def publish_marts(warehouse: Warehouse) -> Path | None:
    """Bring the copy of the schema `marts` up to date in a file of its own; readers keep the old one meanwhile.

    The new copy begins as the file of the old one, gets the slices that differ and is swapped in by a rename, so that
    it equals the marts however it came about; without an old one that can be read it is written whole. Views over other
    marts are views there, too; those that read anything else (every event ever landed) stay in the warehouse, so that a
    close does not pay for all history. On
    PostgreSQL the marts are read where they are: null. Raises BillingError, with the old copy in its place, when there
    is no room for the new one.
    """
    if not isinstance(warehouse, DuckDBWarehouse):
        return None
    target = published_path(warehouse)
    part = target.with_suffix(f".{os.getpid()}.part")
    _remove_parts(target)
    try:
        _write(warehouse, part, _begun(warehouse, target, part))
    except (duckdb.Error, OSError) as error:
        # documents and messages need the room that it took
        _remove_parts(target)
        raise BillingError(
            f"The copy of the marts for readers could not be written: {' '.join(str(error).split())}. The close is "
            f"committed, and {target} is still the copy of the one before. Make room, or mend the disk, and run the "
            "close again: the copy, documents and messages are made then."
        ) from error
    part.replace(target)
    return target


def _remove_parts(target: Path) -> None:
    """What a close left that was killed, or stopped by a full disk."""
    for left in target.parent.glob(f"{escape(target.stem)}.*.part*"):
        left.unlink(missing_ok=True)


def _begun(warehouse: DuckDBWarehouse, target: Path, part: Path) -> Mapping[str, _Table]:
    """Begin the new file as the old one; returns what is in it. A file that cannot be read is left aside."""
    if not target.exists():
        return {}
    shutil.copyfile(target, part)
    try:
        # on its own: a damaged file would take the warehouse's connection with it
        with replace(warehouse, path=part).connect() as session:
            return _tables(session)
    except (duckdb.Error, MeterhouseError):
        _remove_parts(target)
        return {}


def _tables(session: Session) -> dict[str, _Table]:
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in session.rows(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'marts' "
        "and table_name in (select table_name from duckdb_tables() "
        "where database_name = current_database() and schema_name = 'marts') order by table_name, column_index"
    ):
        columns.setdefault(table, []).append((column, data_type))
    tables = {}
    for table, described in columns.items():
        key = "close_id" if "close_id" in dict(described) else "cast(null as bigint)"
        rows = session.rows(f'select {key}, count(*), sum(hash(mart)) from marts."{table}" as mart group by 1')
        tables[table] = _Table(tuple(described), {close: (count, hashed) for close, count, hashed in rows})
    return tables


def _write(warehouse: DuckDBWarehouse, part: Path, there: Mapping[str, _Table]) -> None:
    """Make the tables of the new file, of which `there` are in it, what the warehouse has."""
    with warehouse.connect() as session:
        wanted = _tables(session)
        session.execute(f"attach '{str(part).replace(chr(39), chr(39) * 2)}' as published")
        with session.transaction():
            session.execute("create schema if not exists published.marts")
            for (view,) in session.rows(
                "select view_name from duckdb_views() where database_name = 'published' and schema_name = 'marts'"
            ):
                session.execute(f'drop view published.marts."{view}"')
            for table in there.keys() - wanted.keys():
                session.execute(f'drop table published.marts."{table}"')
            for table, mart in wanted.items():
                _bring_up_to_date(session, table, mart, there.get(table))
        _make_views(session)
        session.execute("detach published")


def _make_views(session: Session) -> None:
    """Make the views over what is published: the engine writes them without the name of the database."""
    views = session.rows(
        "select sql from duckdb_views() where database_name = current_database() and schema_name = 'marts' order by 1"
    )
    [(warehouse,)] = session.rows("select current_database()")
    session.execute("use published")
    for (view,) in views:
        # what reads more than the marts finds no such tables in the copy
        with suppress(duckdb.CatalogException):
            session.execute(view)
    session.execute(f'use "{warehouse}"')


def _bring_up_to_date(session: Session, table: str, mart: _Table, old: _Table | None) -> None:
    """Replace the slices that differ, or the whole table where none stays."""
    if old == mart:
        return
    published = f'published.marts."{table}"'
    kept = dict(mart.slices.items() & old.slices.items()) if old is not None and old.columns == mart.columns else {}
    if old is None or not kept:
        session.execute(f'create or replace table {published} as select * from marts."{table}"')
        return
    for close_id in (old.slices.keys() | mart.slices.keys()) - kept.keys():
        # a number lets the engine skip the blocks of other closes
        condition = "where close_id is null" if close_id is None else f"where close_id = {int(close_id)}"
        if close_id in old.slices:
            session.execute(f"delete from {published} {condition}")
        session.execute(f'insert into {published} select * from marts."{table}" {condition}')
