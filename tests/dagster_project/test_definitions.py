"""What Dagster runs: the definitions load, and the job closes the demonstration book like the command."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]

# one process for one environment: the definitions are made from METERHOUSE_* when they are imported
_RUN = """
import dagster as dg
from dagster_project.definitions import defs as definitions

defs = definitions() if callable(definitions) else definitions
groups = sorted({spec.group_name for spec in defs.resolve_all_asset_specs()})
print("GROUPS", ",".join(groups))
repository = defs.get_repository_def()
print("SCHEDULES", ",".join(sorted(schedule.name for schedule in repository.schedule_defs)))
print("SENSORS", ",".join(sorted(sensor.name for sensor in repository.sensor_defs)))
job = defs.resolve_job_def("close_period")
with dg.DagsterInstance.ephemeral() as instance:
    result = job.execute_in_process(
        instance=instance,
        # a month that is over by any clock; what is billed is said by as_of
        partition_key="2020-01-01",
        run_config={"ops": {"raw__close_scope": {"config": {"as_of": "2026-10-15T06:00:00Z"}}}},
        raise_on_error=True,
    )
    checks = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    failed = [
        event.event_specific_data.check_name
        for event in checks
        if not event.event_specific_data.passed
    ]
print("CHECKS", len(checks) > 100, failed)
"""


@pytest.mark.slow
def test_the_job_closes_the_demonstration_book_like_the_command(tmp_path: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": "",
        "METERHOUSE_BOOK": str(ROOT / "seeds" / "demo"),
    }
    by_job = {**environment, "METERHOUSE_HOME": str(tmp_path / "job")}
    run = subprocess.run(
        [sys.executable, "-c", _RUN], env=by_job, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-6000:]
    lines = dict(line.split(" ", 1) for line in run.stdout.splitlines() if line.split(" ")[0].isupper())
    assert {"landing", "staging", "metering", "rating", "invoicing", "gate", "ledger", "marts", "documents"} <= set(
        lines["GROUPS"].split(",")
    )
    assert "default" not in lines["GROUPS"].split(",")
    assert lines["SCHEDULES"] == "close_period_daily,close_period_monthly"
    assert lines["SENSORS"] == "on_due_deliveries,on_new_files"
    # the demonstration compares its months with the ones before: a rise in volume is only a warning
    assert lines["CHECKS"].startswith("True")

    with duckdb.connect(str(tmp_path / "job" / "warehouse.duckdb"), read_only=True) as warehouse:
        steps = warehouse.sql(
            "select step from marts.rpt_close_steps where close_id = 1 order by step_position"
        ).fetchall()
    assert {step for (step,) in steps} == {
        "land", "scope", "rate", "gate", "finalize", "marts", "publish", "documents", "outbox",
    }  # fmt: skip
    assert "How long each step took" in (tmp_path / "job" / "reports" / "close-1.html").read_text()

    by_command = {**environment, "METERHOUSE_HOME": str(tmp_path / "command")}
    subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "close", "--as-of", "2026-10-15T06:00:00Z"],
        env=by_command,
        cwd=tmp_path,
        capture_output=True,
        timeout=600,
        check=True,
    )
    pdfs = {
        name: {
            path.relative_to(tmp_path / name / "documents"): path.read_bytes()
            for path in (tmp_path / name).rglob("*.pdf")
        }
        for name in ("job", "command")
    }
    assert len(pdfs["job"]) > 30
    assert pdfs["job"] == pdfs["command"]
