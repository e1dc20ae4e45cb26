"""Running random books as cases of one verify run, and what is wrong with them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.lib.book import Case, read_case
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import CaseResult, VerifyRequest, verify_cases
from dagster_project.lib.verify._outcome import CaseOutcome
from dagster_project.lib.verify._run import _run
from dagster_project.lib.warehouse import Warehouse

# before any verify run of today: the moment of looking plays no part in what is billed
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def write_cases(cases: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """One case file a book."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        (folder / f"{case['case']}.json").write_text(json.dumps(case, ensure_ascii=False, indent=1) + "\n")


def wrong_cases(folder: Path, warehouse: Warehouse, home: Path) -> dict[str, list[str]]:
    """The cases of a folder that do not give what they expect, by name; a case that is held is wrong as well."""
    return {result.path.stem: wrongs(result) for result in verified(folder, warehouse, home) if not result.passed}


def wrongs(result: CaseResult) -> list[str]:
    """What is wrong with a case, in words."""
    return [*([result.problem] if result.problem else []), *map(str, result.differences)]


def verified(folder: Path, warehouse: Warehouse, home: Path) -> list[CaseResult]:
    """The cases of a folder, run at once."""
    return verify_cases(VerifyRequest((folder,), warehouse, home, NOW), SilentProgress())


def outcomes(cases: Iterable[Case], warehouse: Warehouse, home: Path) -> dict[str, CaseOutcome]:
    """What an empty warehouse bills for cases in one close, by organisation."""
    read = list(cases)
    request = VerifyRequest(tuple(case.path for case in read), warehouse, home, NOW)
    return dict(_run(warehouse, request, read, SilentProgress()))


def read_book_case(case: Mapping[str, Any], folder: Path, organization_id: str) -> Case:
    """A case as read from its file, as the organisation of that name."""
    write_cases([{**case, "case": organization_id}], folder)
    return read_case(folder / f"{organization_id}.json", organization_id=organization_id)
