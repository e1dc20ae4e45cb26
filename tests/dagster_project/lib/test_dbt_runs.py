"""What dbt tells of its end."""

from pathlib import Path

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.warehouse import DuckDBWarehouse


def test_an_interrupt_of_dbt_interrupts_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no mistake in the project, as dbt makes of it."""
    from dbt.cli.main import dbtRunner, dbtRunnerResult

    monkeypatch.setattr(dbtRunner, "invoke", lambda *_: dbtRunnerResult(success=False, exception=KeyboardInterrupt()))
    runs = DbtRuns(DuckDBWarehouse(tmp_path / "interrupted.duckdb"), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        runs.run(["fct_invoice"])
