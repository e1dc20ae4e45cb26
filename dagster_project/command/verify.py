"""`meterhouse verify`: run billing cases and compare."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from dagster_project.command._options import chosen_warehouse, warehouse_option
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import CaseResult, VerifyRequest, verify_cases

_DIFFERENCES_SHOWN = 12


@click.command(short_help="Run billing cases and print every difference.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@warehouse_option
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
@click.option("--keep", is_flag=True, help="Keep the schema or file that the cases ran in.")
def verify(paths: tuple[Path, ...], warehouse_location: str | None, report: Path | None, keep: bool) -> None:
    """Run billing cases (files, or folders of *.json) and print every difference."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    request = VerifyRequest(paths, warehouse, settings.home, datetime.now(UTC), keep)
    results = verify_cases(request, SilentProgress())
    for result in results:
        if not result.passed:
            click.echo(_failure_text(result))
    if report is not None:
        text = json.dumps([_as_json(result) for result in results], indent=1, ensure_ascii=False)
        report.write_text(f"{text}\n", encoding="utf-8")
    passed = sum(result.passed for result in results)
    sys.stderr.flush()
    click.echo(f"{passed} passed, {len(results) - passed} failed")
    if passed < len(results):
        raise SystemExit(1)


def _failure_text(result: CaseResult) -> str:
    lines = [f"FAILED {result.path}"]
    if result.problem:
        lines.append(f"  {result.problem}")
    lines += [f"  {difference}" for difference in result.differences[:_DIFFERENCES_SHOWN]]
    if len(result.differences) > _DIFFERENCES_SHOWN:
        lines.append(f"  and {len(result.differences) - _DIFFERENCES_SHOWN} more differences")
    return "\n".join(lines)


def _as_json(result: CaseResult) -> dict[str, object]:
    return {
        "case": str(result.path),
        "passed": result.passed,
        "features": list(result.features),
        "problem": result.problem,
        "differences": [
            {
                "where": difference.where,
                "expected": str(difference.expected),
                "got": str(difference.got),
            }
            for difference in result.differences
        ],
    }
