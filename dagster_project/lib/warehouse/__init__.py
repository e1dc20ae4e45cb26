"""The warehouse: one DuckDB file or one PostgreSQL database, behind one small interface."""

from dagster_project.lib.warehouse._lock import require_lock, warehouse_lock
from dagster_project.lib.warehouse._session import Session, named_rows, split_schema, tables_of
from dagster_project.lib.warehouse._warehouse import (
    DuckDBWarehouse,
    PostgresWarehouse,
    Warehouse,
    open_warehouse,
)

__all__ = [
    "DuckDBWarehouse",
    "PostgresWarehouse",
    "Session",
    "Warehouse",
    "named_rows",
    "open_warehouse",
    "require_lock",
    "split_schema",
    "tables_of",
    "warehouse_lock",
]
