"""What a changed price formula would have billed is found by the next close, and changed back it is nothing again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.faults.world import FEBRUARY, MARCH, PLAN_CENTS, UNIT_CENTS, query, totals, units, write_book

ROOT = Path(__file__).resolve().parents[4]
FORMULA = "{{ multiply_exact(units, unit_price) }}"
# one unit more than was used
CHANGED = "{{ multiply_exact('(' ~ units ~ ' + 1)', unit_price) }}"


@pytest.mark.slow
def test_changed_formulas_are_reported_and_never_adjusted(tmp_path: Path) -> None:
    code, home = tmp_path / "code", tmp_path / "home"
    for part in ("dagster_project", "dbt_project", "invoice_renderer", "seeds"):
        shutil.copytree(ROOT / part, code / part, ignore=shutil.ignore_patterns("target", "logs", "__pycache__"))
    book = write_book(tmp_path / "book")
    formula = code / "dbt_project" / "macros" / "pricing" / "price_standard.sql"
    original = formula.read_text()
    assert FORMULA in original

    def close(as_of: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dagster_project.cli", "close", "--book", book, "--as-of", as_of, "--no-documents"],
            cwd=code,
            env={
                **os.environ,
                "PYTHONPATH": str(code),
                "METERHOUSE_HOME": str(home),
                "METERHOUSE_WAREHOUSE": str(home / "warehouse.duckdb"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    close("2024-03-02T00:00:00Z")
    formula.write_text(original.replace(FORMULA, CHANGED))
    output = close("2024-04-02T00:00:00Z")
    # March is not billed by a formula that the gate contradicts
    assert "units_times_price" in output
    formula.write_text(original)
    close("2024-04-03T00:00:00Z")

    warehouse = DuckDBWarehouse(home / "warehouse.duckdb")
    february, march = units(FEBRUARY) * UNIT_CENTS, units(MARCH) * UNIT_CENTS
    # `clean` adjusts late usage: not what a changed formula says
    for organization in ("clean", "dirty"):
        assert totals(warehouse, organization) == [PLAN_CENTS + february, PLAN_CENTS + march]
        found = (
            "select billed_amount_cents, restated_amount_cents, difference_amount_cents, cause, outcome "
            f"from {{marts}}.restatement where organization_id = '{organization}' order by close_id, billed_amount_cents"
        )
        assert query(warehouse, found) == [
            (february, february + UNIT_CENTS, UNIT_CENTS, "changed_code", "reported"),
            (february, february, -UNIT_CENTS, "changed_code", "reported"),
        ]
