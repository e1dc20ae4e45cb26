"""The billing cases, all in one run on each engine: what they bill, what each model's rows come from, and why.

Random books stand beside them, as they have what no case has: filters alike, events at the very instant of an end, … In
half of them subscriptions change their plans: what those must give is not worked out, but explained.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.explain import InvoiceExplanation, explain_invoice
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import CaseResult, VerifyRequest, _run, verify_cases
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Session, Warehouse
from tests.rating.books import books, with_plan_changes
from tests.rating.runs import write_cases

CASES = Path(__file__).resolve().parents[3] / "cases"
SEED, BOOKS = 7, 30

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Verified:
    """What a run of all cases found, and what was seen in its warehouse before it was dropped."""

    warehouse: Warehouse
    home: Path
    results: list[CaseResult]
    rows_without_parents: Mapping[str, int]
    explained: Mapping[tuple[str, str], InvoiceExplanation]


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def verified(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(CASES, folder / "cases")
    drawn = enumerate(islice(books(SEED), BOOKS))
    made = (with_plan_changes(book) if number % 2 else book for number, book in drawn)
    write_cases(made, folder / "cases" / "random")
    warehouse: Warehouse = (
        DuckDBWarehouse(folder / "warehouse.duckdb")
        if request.param == "duckdb"
        else PostgresWarehouse(request.getfixturevalue("postgres_url"), "cases")
    )
    rows: dict[str, int] = {}
    explained: dict[tuple[str, str], InvoiceExplanation] = {}
    read = _run.read_outcomes
    manifest = DbtRuns(warehouse, folder / "home" / "dbt" / f"verify-{warehouse.kind}").manifest

    def outcomes(session: Session) -> object:
        if isinstance(warehouse, DuckDBWarehouse):
            rows.update(rows_without_what_they_come_from(session, manifest()))
        explained.update(explanations(session))
        return read(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "read_outcomes", outcomes)
        to_verify = VerifyRequest((folder / "cases",), warehouse, folder / "home", datetime.now(UTC))
        results = verify_cases(to_verify, SilentProgress())
    return Verified(warehouse, folder / "home", results, rows, explained)


def test_every_case_passes(verified: Verified) -> None:
    assert len(verified.results) == len(list(CASES.rglob("*.json"))) + BOOKS
    wrong = {
        f"{result.path.parent.name}/{result.path.name}": [result.problem, *map(str, result.differences)]
        for result in verified.results
        if not result.passed
    }
    assert wrong == {}
    assert_nothing_is_left(verified.warehouse, verified.home)


def test_models_have_no_rows_without_what_they_say_their_rows_come_from(verified: Verified) -> None:
    """Found on DuckDB, where the models' SQL is kept, for both."""
    if isinstance(verified.warehouse, DuckDBWarehouse):
        assert len(verified.rows_without_parents) > 40
    assert {name: count for name, count in verified.rows_without_parents.items() if count} == {}


def test_every_line_and_posting_of_every_invoice_is_explained_and_computed_again_to_the_same_figures(
    verified: Verified,
) -> None:
    lines = [(key, line) for key, found in verified.explained.items() for line in found.lines]
    postings = [(key, posting) for key, found in verified.explained.items() for posting in found.postings]
    assert [
        (key, line.line_number, line.recomputed_cents, line.open_point)
        for key, line in lines
        if not line.agrees or line.recomputed_cents is None or not line.sentences
    ] == []
    assert [(key, row.kind, row.recomputed_cents) for key, row in postings if not row.agrees] == []
    assert len(lines) > 1200
    assert {str(line.fee["fee_type"]) for _, line in lines} == {
        "subscription",
        "charge",
        "true_up",
        "commitment",
        "fixed_charge",
        "add_on",
        "credit",
        "adjustment",
    }


def explanations(session: Session) -> dict[tuple[str, str], InvoiceExplanation]:
    """Every numbered invoice explained, by organisation and number."""
    numbers = session.rows(
        f"select organization_id, invoice_number from {session.schema('ledger')}.ledger_invoices "
        "where invoice_number is not null order by 1, 2"
    )
    return {
        (organization, number): explain_invoice(session, number, organization_id=organization)
        for organization, number in numbers
    }


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


def assert_nothing_is_left(warehouse: Warehouse, home: Path) -> None:
    if isinstance(warehouse, DuckDBWarehouse):
        assert list((home / "verify").iterdir()) == []
    elif isinstance(warehouse, PostgresWarehouse):
        with warehouse.connect() as session:
            assert session.rows("select 1 from information_schema.schemata where schema_name like 'verify%'") == []


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
