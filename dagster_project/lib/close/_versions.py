"""Which version of the project made a part of the warehouse: a table of one row in the schema `reference` for each part.

DuckDB opens a file in hundredths of a second, so what is asked at one time goes through one session.
"""

from dagster_project.lib.warehouse import Session


def recorded_version(session: Session, table: str) -> str | None:
    """What `record_version` wrote last."""
    reference = session.schema("reference")
    session.execute(f"create schema if not exists {reference}")
    session.execute(f"create table if not exists {reference}.{table} (version varchar)")
    rows = session.rows(f"select version from {reference}.{table}")
    return rows[0][0] if rows else None


def record_version(session: Session, table: str, version: str) -> None:
    """Write which version of the project a part of the warehouse was built by."""
    with session.transaction():
        reference = session.schema("reference")
        session.execute(f"delete from {reference}.{table}")
        session.insert(f"{reference}.{table}", ["version"], [(version,)])
