"""One run of the gate over the candidates of a close."""

from datetime import UTC, datetime
from pathlib import Path

from dagster_project.lib.gate._checks import CHECKS
from dagster_project.lib.gate._figures import Figure, held_customers_count, read_figures
from dagster_project.lib.gate._report import CheckOutcome, GateReport
from dagster_project.lib.gate.suites import judge
from dagster_project.lib.progress import Progress
from dagster_project.lib.warehouse import Session, Warehouse


def run_gate(warehouse: Warehouse, *, docs_dir: Path | None, check_volume: bool, progress: Progress) -> GateReport:
    """Judge the candidates in a warehouse, after dbt has built them and the models of the gate.

    Failed checks are in the report and never raised: the caller stops a close whose report has `blocking` checks.
    Without `check_volume` no period is compared with the one before; without `docs_dir` no pages are written.
    """
    checks = [check for check in CHECKS if check_volume or check.source != "volume"]
    with warehouse.connect(read_only=True) as session:
        figures = read_figures(session, checks)
        held = held_customers_count(session)
        run_name, run_at = _run(session, figures)
    passed = judge(figures, run_name=run_name, run_at=run_at, docs_dir=docs_dir)
    outcomes = tuple(
        CheckOutcome(
            name=check.name,
            suite=check.suite,
            level=check.level,
            passed=passed[check.name],
            observed=figures[check.name].observed,
            rows=figures[check.name].rows,
            description=check.description,
            advice=check.advice,
        )
        for check in checks
    )
    for outcome in outcomes:
        if not outcome.passed:
            progress.note(f"{outcome.name}: {outcome.observed}")
    return GateReport(outcomes, held, docs_dir / "index.html" if docs_dir else None)


def _run(session: Session, figures: dict[str, Figure]) -> tuple[str, datetime]:
    """The close's name and start, which name the run; without a scope there is no close to name."""
    scope = f"{session.schema('raw')}.close_scope"
    rows = (
        []
        if scope in figures["relations_present"].observed
        else session.rows(f"select close_id, started_at from {scope} order by 1, 2 limit 1")
    )
    if not rows:
        return "close", datetime(1970, 1, 1, tzinfo=UTC)
    close_id, started_at = rows[0]
    return f"close-{close_id}", started_at.replace(tzinfo=UTC)
