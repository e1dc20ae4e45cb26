"""The billing cases on both engines: whatever is built must be right, the rest must say what is not built."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import VerifyRequest, verify_cases
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse

CASES = Path(__file__).resolve().parents[3] / "cases"
# what issue 1 builds: the cases that need nothing else
BUILT = {
    "invoice/charge_tax_beats_plan_tax",
    "invoice/empty_invoices_are_skipped_on_request",
    "invoice/plan_tax_beats_customer_tax",
    "lifecycle/monthly_calendar_bogota_first",
    "lifecycle/monthly_calendar_bogota_not_yet_first",
    "lifecycle/semiannual_calendar_paris",
    "lifecycle/weekly_calendar_kolkata_monday_begins",
    "rating/graduated_no_usage_bills_first_flat_fee",
    "rating/graduated_top_of_first_range",
    "rating/metric_rounding_floor",
    "rating/metric_rounding_round",
    "rating/standard_empty_period_no_amount",
    "rating/standard_five_decimal_price",
    "rating/standard_zero_valued_events",
    "rating/sum_metric_rounded_up",
}


@pytest.mark.slow
def test_every_case_passes_or_names_what_is_not_built(warehouse: Warehouse, tmp_path: Path) -> None:
    results = verify_cases(VerifyRequest((CASES,), warehouse, tmp_path / "home", datetime.now(UTC)), SilentProgress())
    assert len(results) == len(list(CASES.rglob("*.json")))
    names = {str(result.path.relative_to(CASES).with_suffix("")): result for result in results}
    wrong = {
        name: [str(difference) for difference in result.differences]
        for name, result in names.items()
        if not result.passed and "not built yet" not in (result.problem or "")
    }
    assert wrong == {}
    assert {name for name, result in names.items() if result.passed} >= BUILT
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
