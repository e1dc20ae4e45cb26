"""Landers on an empty warehouse of each engine."""

import uuid
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse
from tests.dagster_project.lib.landing.landings import CATALOGUE, FATES, Lander


@pytest.fixture(scope="session")
def landing_postgres(postgres_url: str) -> PostgresWarehouse:
    """One warehouse for all tests of events: its tables are emptied, as making them takes longer."""
    warehouse = PostgresWarehouse(postgres_url, f"l{uuid.uuid4().hex[:12]}")
    warehouse.create_raw_tables()
    return warehouse


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def lander(request: pytest.FixtureRequest, tmp_path: Path) -> Lander:
    """A lander on an empty warehouse of each engine."""
    return _lander(request, request.param, tmp_path)


@pytest.fixture
def both_landers(request: pytest.FixtureRequest, tmp_path: Path) -> list[Lander]:
    """A lander on DuckDB and one on PostgreSQL, for comparing what they hold."""
    return [_lander(request, engine, tmp_path) for engine in ("duckdb", "postgres")]


def _lander(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Lander:
    warehouse: Warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    if engine == "duckdb":
        warehouse.create_raw_tables()
    else:
        warehouse = request.getfixturevalue("landing_postgres")
        with warehouse.connect() as session:
            raw = session.schema("raw")
            for table in (*FATES, *CATALOGUE, "landed_files", "file_states", "event_layouts"):
                session.execute(f"truncate {raw}.{table}")
    return Lander(warehouse, tmp_path / "events")
