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


def test_an_unsound_row_of_the_ledger_fails_the_test_of_its_table(runs: DbtRuns) -> None:
    # one fee twice, without the close that wrote it: two rows lack it, one grain occurs twice
    with runs.warehouse.connect() as session, session.transaction():
        fees = f"{session.schema('ledger')}.ledger_fees"
        session.insert(fees, ["fee_id", "organization_id"], [("fee", "acme"), ("fee", "acme")])
    try:
        [failed] = [node for node in runs.test(["ledger_fees,test_name:has_sound_rows"]) if node.status != "pass"]
    finally:
        with runs.warehouse.connect() as session:
            session.execute(f"delete from {fees} where fee_id = 'fee'")
    assert failed.name.startswith("has_sound_rows_ledger_fees")
    assert failed.failures == 3
