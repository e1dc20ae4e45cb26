"""The billing cases, all in one run on each engine."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import VerifyRequest, verify_cases
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse

CASES = Path(__file__).resolve().parents[3] / "cases"


@pytest.mark.slow
def test_every_case_passes(warehouse: Warehouse, tmp_path: Path) -> None:
    results = verify_cases(VerifyRequest((CASES,), warehouse, tmp_path / "home", datetime.now(UTC)), SilentProgress())
    assert len(results) == len(list(CASES.rglob("*.json")))
    wrong = {
        str(result.path.relative_to(CASES)): [result.problem, *map(str, result.differences)]
        for result in results
        if not result.passed
    }
    assert wrong == {}
    assert_nothing_is_left(warehouse, tmp_path)


def assert_nothing_is_left(warehouse: Warehouse, tmp_path: Path) -> None:
    if isinstance(warehouse, DuckDBWarehouse):
        assert list((tmp_path / "home" / "verify").iterdir()) == []
    elif isinstance(warehouse, PostgresWarehouse):
        with warehouse.connect() as session:
            assert session.rows("select 1 from information_schema.schemata where schema_name like 'verify%'") == []


@pytest.mark.slow
def test_an_unreadable_case_fails_alone(tmp_path: Path) -> None:
    good = CASES / "rating" / "metric_rounding_floor.json"
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "good.json").write_text(good.read_text())
    (folder / "broken.json").write_text("{")
    wrong = good.read_text().replace('"charge_model": "standard"', '"charge_model": "standart"')
    (folder / "wrong.json").write_text(wrong)
    warehouse = DuckDBWarehouse(tmp_path / "unused.duckdb")
    results = verify_cases(VerifyRequest((folder,), warehouse, tmp_path / "home", datetime.now(UTC)), SilentProgress())
    assert {result.path.name: result.passed for result in results} == {
        "broken.json": False,
        "good.json": True,
        "wrong.json": False,
    }
    assert not warehouse.exists()
