"""A read-only copy of the marts, so that analysts and BI tools are never locked out of a DuckDB warehouse."""

import os
from glob import escape
from pathlib import Path

from dagster_project.lib.warehouse import DuckDBWarehouse, Warehouse


def published_path(warehouse: DuckDBWarehouse) -> Path:
    """Where the published copy of a warehouse is."""
    return warehouse.path.with_suffix(".marts.duckdb")


def publish_marts(warehouse: Warehouse) -> Path | None:
    """Copy the schema `marts` into a file of its own and swap it in by a rename; readers keep the old one meanwhile.

    Marts that are views read every event ever landed and stay in the warehouse, so that a close does not pay for all
    history. On PostgreSQL the marts are read where they are: null.
    """
    if not isinstance(warehouse, DuckDBWarehouse):
        return None
    target = published_path(warehouse)
    part = target.with_suffix(f".{os.getpid()}.part")
    # of a close that was killed, or stopped by a full disk
    for left in target.parent.glob(f"{escape(target.stem)}.*.part*"):
        left.unlink(missing_ok=True)
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
    part.replace(target)
    return target
