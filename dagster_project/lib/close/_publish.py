"""A read-only copy of the marts, so that analysts and BI tools are never locked out of a DuckDB warehouse."""

import os
from glob import escape
from pathlib import Path

import duckdb

from dagster_project.lib.errors import BillingError
from dagster_project.lib.warehouse import DuckDBWarehouse, Warehouse


def published_path(warehouse: DuckDBWarehouse) -> Path:
    """Where the published copy of a warehouse is."""
    return warehouse.path.with_suffix(".marts.duckdb")


def publish_marts(warehouse: Warehouse) -> Path | None:
    """Copy the schema `marts` into a file of its own and swap it in by a rename; readers keep the old one meanwhile.

    Marts that are views read every event ever landed and stay in the warehouse, so that a close does not pay for all
    history. On PostgreSQL the marts are read where they are: null. Raises BillingError, with the old copy in its place,
    when there is no room for the new one.
    """
    if not isinstance(warehouse, DuckDBWarehouse):
        return None
    target = published_path(warehouse)
    part = target.with_suffix(f".{os.getpid()}.part")
    _remove_parts(target)
    try:
        _write(warehouse, part)
    except duckdb.Error as error:
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


def _write(warehouse: DuckDBWarehouse, part: Path) -> None:
    with warehouse.connect() as session:
        tables = [
            name
            for (name,) in session.rows(
                "select table_name from information_schema.tables "
                "where table_schema = 'marts' and table_type = 'BASE TABLE' order by 1"
            )
        ]
        session.execute(f"attach '{str(part).replace(chr(39), chr(39) * 2)}' as published")
        session.execute("create schema published.marts")
        for table in tables:
            session.execute(f'create table published.marts."{table}" as select * from marts."{table}"')
        session.execute("detach published")
