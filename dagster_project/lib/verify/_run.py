"""Running cases: all of them in one warehouse and one close, each its own organisation."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dagster_project.lib.book import Case, read_case
from dagster_project.lib.close import (
    land_books,
    land_calendar,
    open_close,
    perform_top_ups,
    prepare_warehouse,
    seed_reference,
)
from dagster_project.lib.dbt_runs import LEDGER_SELECTION, RATING_SELECTION, DbtRuns
from dagster_project.lib.errors import InputError, MeterhouseError
from dagster_project.lib.progress import Progress
from dagster_project.lib.verify._compare import Difference, compare
from dagster_project.lib.verify._outcome import CaseOutcome, read_outcomes
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Which cases to run (files, or folders searched for *.json) and in what kind of warehouse."""

    paths: tuple[Path, ...]
    warehouse: Warehouse
    home: Path
    now: datetime
    keep: bool = False


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: its path, its features, why it could not be run (or what is not built), and its differences."""

    path: Path
    features: tuple[str, ...]
    problem: str | None
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether the case gave what it expects."""
        return self.problem is None and not self.differences


def verify_cases(request: VerifyRequest, progress: Progress) -> list[CaseResult]:
    """Run the cases; a case that cannot be read counts as failed and does not stop the others.

    Works in a file or in schemas of its own, named by run and dropped afterwards unless `keep`. Raises InputError when
    no case is found.
    """
    paths = _case_files(request.paths)
    root = Path(os.path.commonpath([path.parent for path in paths]))
    cases: dict[Path, Case] = {}
    results: dict[Path, CaseResult] = {}
    for path in paths:
        try:
            cases[path] = read_case(path, organization_id=str(path.relative_to(root).with_suffix("")))
        except MeterhouseError as error:
            results[path] = CaseResult(path, (), str(error), ())
    progress.note(f"{len(cases)} of {len(paths)} cases read")
    if cases:
        with _own_warehouse(request, progress) as warehouse:
            outcomes = _run(warehouse, request, list(cases.values()), progress)
        for path, case in cases.items():
            results[path] = _result(case, outcomes.get(case.organization_id, CaseOutcome()))
    return [results[path] for path in paths]


def _run(
    warehouse: Warehouse, request: VerifyRequest, cases: Sequence[Case], progress: Progress
) -> dict[str, CaseOutcome]:
    prepare_warehouse(warehouse)
    land_books(warehouse, [case.book for case in cases], landed_at=request.now, progress=progress)
    land_calendar(warehouse, last_year=max(case.as_of.year for case in cases))
    with warehouse.connect() as session:
        open_close(
            session,
            as_of={case.organization_id: case.as_of for case in cases},
            known_at=None,
            started_at=request.now,
        )
    runs = DbtRuns(warehouse, request.home / "dbt" / f"verify-{warehouse.kind}")
    seed_reference(warehouse, runs)
    runs.run(RATING_SELECTION)
    perform_top_ups(warehouse, runs, RATING_SELECTION)
    runs.run(LEDGER_SELECTION)
    with warehouse.connect(read_only=True) as session:
        return dict(read_outcomes(session))


def _result(case: Case, outcome: CaseOutcome) -> CaseResult:
    problem = "; ".join(outcome.findings) if outcome.findings else None
    return CaseResult(case.path, case.features, problem, tuple(compare(case.expect, outcome)))


def _case_files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.resolve().rglob("*.json"))
        elif path.exists():
            found.append(path.resolve())
        else:
            raise InputError(f"There is no case at {path}. Give files or folders with *.json cases.")
    unique = list(dict.fromkeys(found))
    if not unique:
        raise InputError(f"No *.json case was found in {', '.join(map(str, paths))}.")
    return unique


@contextmanager
def _own_warehouse(request: VerifyRequest, progress: Progress) -> Iterator[Warehouse]:
    run = f"verify_{request.now:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    if isinstance(request.warehouse, PostgresWarehouse):
        own = replace(request.warehouse, schema=run)
        try:
            yield own
        finally:
            if not request.keep:
                own.drop_schemas()
    else:
        directory = request.home / "verify" / run
        try:
            # always the same file name: dbt names the database after it, and keeps its parse
            yield DuckDBWarehouse(directory / "warehouse.duckdb", request.warehouse.memory_limit)
        finally:
            if not request.keep:
                shutil.rmtree(directory, ignore_errors=True)
    if request.keep:
        progress.note(f"kept as {run}")
