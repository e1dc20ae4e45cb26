"""What the shared cases leave open: phases, rate cards, versions, pauses, changes of timezone and of units."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import VerifyRequest, verify_cases
from dagster_project.lib.warehouse import Warehouse

CASES = Path(__file__).parent / "cases"


@pytest.mark.slow
def test_cases_of_the_life_cycle(warehouse: Warehouse, tmp_path: Path) -> None:
    results = verify_cases(VerifyRequest((CASES,), warehouse, tmp_path / "home", datetime.now(UTC)), SilentProgress())
    assert {result.path.stem: result.problem or [str(one) for one in result.differences] for result in results} == {
        path.stem: [] for path in CASES.glob("*.json")
    }
