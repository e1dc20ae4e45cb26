"""What the faults share: a home, and a DuckDB warehouse that is rated once for all of them."""

from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.faults.world import Rated, rated


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all closes: dbt parses the project once for each engine."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory, dbt_home: Path) -> Rated:
    """A DuckDB warehouse whose candidates are built and judged, to be copied."""
    folder = tmp_path_factory.mktemp("duckdb")
    return rated(DuckDBWarehouse(folder / "warehouse.duckdb"), dbt_home, folder)
