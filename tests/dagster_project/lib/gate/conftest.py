"""The small book in a warehouse of each engine, built once by dbt and copied for every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from dagster_project.lib.dbt_runs import CANDIDATES_EXCLUSION, CANDIDATES_SELECTION, DbtRuns
from dagster_project.lib.warehouse import open_warehouse
from tests.dagster_project.lib.gate.small_book import Gatehouse, land_small_book


def pytest_configure(config: pytest.Config) -> None:
    # dbt drops the handle of its log file at the next run without closing it
    config.addinivalue_line("filterwarnings", r"ignore:unclosed file .*dbt\.log:ResourceWarning")


class _DuckDBBase:
    """The built warehouse as a file that is copied to one path."""

    def __init__(self, folder: Path) -> None:
        self._path, self._built = folder / "warehouse.duckdb", folder / "built.duckdb"
        self.location = str(self._path)

    def keep(self) -> None:
        shutil.copyfile(self._path, self._built)

    def restore(self) -> None:
        shutil.copyfile(self._built, self._path)

    def close(self) -> None:
        """Nothing is held open."""


class _PostgresBase:
    """The built warehouse as a database that is copied to one name."""

    def __init__(self, url: str) -> None:
        self._admin = url
        self._run("create database gate")
        self.location = url.replace("/postgres?", "/gate?")

    def keep(self) -> None:
        self._run("create database gate_built template gate")

    def restore(self) -> None:
        self._run("drop database gate with (force)")
        self._run("create database gate template gate_built")

    def close(self) -> None:
        for name in ("gate", "gate_built"):
            self._run(f"drop database if exists {name} with (force)")

    def _run(self, sql: str) -> None:
        connection = psycopg2.connect(self._admin)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[_DuckDBBase | _PostgresBase, DbtRuns]]:
    folder = tmp_path_factory.mktemp(request.param)
    base = _DuckDBBase(folder) if request.param == "duckdb" else _PostgresBase(request.getfixturevalue("postgres_url"))
    warehouse = open_warehouse(base.location)
    warehouse.create_raw_tables()
    with warehouse.connect() as session:
        land_small_book(session)
    runs = DbtRuns(warehouse, folder / "dbt")
    runs.seed()
    runs.run(CANDIDATES_SELECTION, exclude=CANDIDATES_EXCLUSION)
    base.keep()
    yield base, runs
    base.close()


@pytest.fixture
def gatehouse(built: tuple[_DuckDBBase | _PostgresBase, DbtRuns], tmp_path: Path) -> Gatehouse:
    base, runs = built
    base.restore()
    return Gatehouse(runs.warehouse, runs, tmp_path / "docs")
