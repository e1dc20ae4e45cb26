"""What the suites decide on figures made by hand, and the pages they leave behind."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.dbt_runs import DBT_PROJECT_DIR
from dagster_project.lib.gate import CheckOutcome, GateReport
from dagster_project.lib.gate._checks import CHECKS
from dagster_project.lib.gate._figures import Figure
from dagster_project.lib.gate.suites import judge

RUN_AT = datetime(2026, 2, 2, 6, tzinfo=UTC)
SOUND = {check.name: Figure(0, "nothing") for check in CHECKS}


def verdicts(changed: dict[str, Figure], docs_dir: Path | None = None) -> dict[str, bool]:
    return judge({**SOUND, **changed}, run_name="close-12", run_at=RUN_AT, docs_dir=docs_dir)


def test_sound_figures_pass_every_check() -> None:
    assert verdicts({}) == {check.name: True for check in CHECKS}


@pytest.mark.parametrize("value", [1, 10**15, None])
@pytest.mark.parametrize("name", ["events_of_files", "invoices_relations_filled", "no_negative_total"])
def test_a_figure_other_than_zero_or_unknown_fails_its_check_alone(name: str, value: int | None) -> None:
    result = verdicts({name: Figure(value, "something")})

    assert [check for check, passed in result.items() if not passed] == [name]


@pytest.mark.parametrize(
    ("drop", "rise", "failed"),
    [
        (-50, 100, []),
        (-51, 100, ["volume_drop"]),
        (-50, 101, ["volume_rise"]),
        (-100, 900, ["volume_drop", "volume_rise"]),
    ],
)
def test_volume_may_halve_or_double(drop: int, rise: int, failed: list[str]) -> None:
    result = verdicts({"volume_drop": Figure(drop, ""), "volume_rise": Figure(rise, "")})

    assert [check for check, passed in result.items() if not passed] == failed


def test_checks_without_a_figure_are_left_out() -> None:
    figures = {name: figure for name, figure in SOUND.items() if not name.startswith("volume")}

    assert set(judge(figures, run_name="close-12", run_at=RUN_AT, docs_dir=None)) == set(figures)


def test_the_data_docs_show_failing_rows_and_ask_nobody_else(tmp_path: Path) -> None:
    row = {"organization_id": "acme", "external_customer_id": "<script>alert(1)</script>", "detail": "9 x 9 is not 80"}
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "stale.html").write_text("of an earlier run")

    verdicts({"units_times_price": Figure(1, "1 failing row: 1 customer held back", (row,))}, docs)

    pages = {path.relative_to(docs).as_posix(): path.read_text() for path in docs.rglob("*") if path.is_file()}
    index = pages.pop("index.html")
    links = re.findall(r'href="([^"]+)"', index)
    assert sorted(links) == sorted(pages)
    assert index.count("all passed") == 1
    assert index.count("look here") == 1
    (page,) = (page for path, page in pages.items() if "invoices_due" in path)
    assert "9 x 9 is not 80" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert (docs / next(path for path in pages) / "../../../../../index.html").resolve() == docs / "index.html"
    assert not any(re.search(r"https?:|//[a-z]|src=", text) for text in (index, *pages.values()))


def test_a_blocking_message_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    def outcome(name: str, level: str, *, passed: bool) -> CheckOutcome:
        return CheckOutcome(name, "events_landed", level, passed, f"{name} seen", (), "", "Restore it.")  # type: ignore[arg-type]

    report = GateReport(
        (
            outcome("events_of_files", "blocks", passed=False),
            outcome("files_tied", "blocks", passed=False),
            outcome("lines_of_files", "blocks", passed=True),
            outcome("no_negative_total", "holds", passed=False),
        ),
        1,
        tmp_path / "index.html",
    )

    assert report.blocking_message() == (
        "The gate stopped the close before anything was finalised: 2 checks fail. "
        "events_of_files: events_of_files seen. "
        f"files_tied: files_tied seen. Restore it. The whole report is in {tmp_path / 'index.html'}."
    )
    assert [check.name for check in report.failed("holds")] == ["no_negative_total"]
    assert report.failed("warns") == ()


@pytest.mark.parametrize(
    ("models", "pattern", "source"),
    [
        ("gate_*findings.sql", r"'(\w+)' as rule", "finding"),
        ("gate_control_totals.sql", r"^\s*\(?\s*'(\w+)', [^,]+, '(?:expected|got)'", "control"),
    ],
)
def test_the_catalogue_names_what_the_models_compute(models: str, pattern: str, source: str) -> None:
    sql = "\n".join(path.read_text() for path in (DBT_PROJECT_DIR / "models/gate").glob(models))

    assert set(re.findall(pattern, sql, re.MULTILINE)) == {check.name for check in CHECKS if check.source == source}


def test_names_are_unique() -> None:
    assert len(SOUND) == len(CHECKS)
