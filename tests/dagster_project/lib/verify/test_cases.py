"""The billing cases, all in one run on each engine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import VerifyRequest, _run, verify_cases
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Session, Warehouse

CASES = Path(__file__).resolve().parents[3] / "cases"


@pytest.mark.slow
def test_every_case_passes(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[str, int] = {}
    read = _run.read_outcomes
    manifest = DbtRuns(warehouse, tmp_path / "home" / "dbt" / f"verify-{warehouse.kind}").manifest

    def outcomes(session: Session) -> object:
        if isinstance(warehouse, DuckDBWarehouse):
            rows.update(rows_without_what_they_come_from(session, manifest()))
        return read(session)

    monkeypatch.setattr(_run, "read_outcomes", outcomes)
    results = verify_cases(VerifyRequest((CASES,), warehouse, tmp_path / "home", datetime.now(UTC)), SilentProgress())
    assert len(results) == len(list(CASES.rglob("*.json")))
    wrong = {
        str(result.path.relative_to(CASES)): [result.problem, *map(str, result.differences)]
        for result in results
        if not result.passed
    }
    assert wrong == {}
    assert_nothing_is_left(warehouse, tmp_path)
    if isinstance(warehouse, DuckDBWarehouse):
        assert len(rows) > 40
        assert {name: count for name, count in rows.items() if count} == {}


def rows_without_what_they_come_from(session: Session, manifest: Any) -> dict[str, int]:
    """How many rows each model with `rows_only_with` would have if those parents (and itself) were empty.

    All else is as full as all cases make it, so that a parent that the YAML forgets gives the model away.
    """
    counts = {}
    for node in manifest.nodes.values():
        names = set(node.config.meta.get("rows_only_with", ()))
        # verify builds no marts; a close before it in this process may have compiled them
        if not names or not getattr(node, "compiled_code", None) or node.fqn[1] == "marts":
            continue
        parents = [manifest.nodes.get(key) or manifest.sources[key] for key in node.depends_on.nodes]
        sql = node.compiled_code
        for relation in [node.relation_name, *(parent.relation_name for parent in parents if parent.name in names)]:
            sql = sql.replace(relation, f"(select * from {relation} where false)")
        [(counts[node.name],)] = session.rows(f"select count(*) from ({sql}) as made")
    return counts


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
