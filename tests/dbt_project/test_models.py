"""The unit tests that stand beside the models, on both engines, room by room."""

import uuid

import pytest

from dagster_project.lib.dbt_runs import (
    CANDIDATES_EXCLUSION,
    CANDIDATES_SELECTION,
    DBT_PROJECT_DIR,
    LEDGER_SELECTION,
    DbtRuns,
)
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse

ROOMS = sorted(
    {str(path.parent.relative_to(DBT_PROJECT_DIR)) for path in DBT_PROJECT_DIR.glob("models/**/*__unit_tests.yml")}
)


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DbtRuns:
    """The project's models over an empty book: what a unit test takes the types of its columns from."""
    folder = tmp_path_factory.mktemp(request.param)
    warehouse = (
        DuckDBWarehouse(folder / "warehouse.duckdb")
        if request.param == "duckdb"
        else PostgresWarehouse(request.getfixturevalue("postgres_url"), f"t{uuid.uuid4().hex[:12]}")
    )
    warehouse.create_raw_tables()
    runs = DbtRuns(warehouse, folder / "dbt")
    runs.seed()
    runs.run(CANDIDATES_SELECTION, exclude=CANDIDATES_EXCLUSION)
    runs.run(LEDGER_SELECTION)
    return runs


@pytest.mark.parametrize("room", ROOMS)
def test_models_do_what_their_unit_tests_work_out_by_hand(runs: DbtRuns, room: str) -> None:
    results = runs.unit_test([f"path:{room}"])
    assert results
    assert [f"{node.name}: {node.message}" for node in results if node.status != "pass"] == []
