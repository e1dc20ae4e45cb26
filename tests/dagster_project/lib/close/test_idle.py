"""Models that a close leaves as they are: which they are, and that no ledger shows it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import networkx
import pytest

from dagster_project.lib.book import read_case
from dagster_project.lib.close import CloseRequest, CloseRun, land_books, prepare_warehouse, rederive
from dagster_project.lib.close._idle import CANDIDATES, LEDGER, MARTS, STAGES, building, idle_models, tables_behind
from dagster_project.lib.dbt_runs import BUILD, DbtRuns
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import Warehouse

CASES = Path(__file__).resolve().parents[3] / "cases"
PLAIN = ("rating/metric_rounding_floor",)
FEATURES = (
    "invoice/fixed_coupon_once_used_up_on_first_invoice",
    "invoice/interval_rule_buys_and_payments_fill",
    "invoice/offset_refund_and_credit_of_one_invoice",
    "invoice/one_off_units_and_add_on_price",
    "invoice/threshold_credit_survives_grace_period",
    "invoice/voided_invoice_is_made_anew",
    "lifecycle/fixed_charge_units_change_prorated",
    "lifecycle/pause_in_arrears_takes_off_its_days",
    "rating/graduated_percentage_middle_range_units",
    "rating/pricing_unit_rounds_to_its_exponent",
    "restatement/corrected_and_cancelled_before_the_invoice",
)
# what none of these books asks for, at the end of the case
ASKED_BY_NONE = {
    "fct_standalone_fee",
    "fct_triggered_alert",
    "gate_source_completeness",
    "int_alert_values",
    "int_alerts_triggered",
    "int_usage_custom",
    "ledger_triggered_alerts",
    "rpt_conflicting_events",
    "rpt_held_customers",
    "rpt_source_completeness",
}
NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.slow
def test_features_that_come_and_go_are_billed_as_if_all_models_had_always_been_built(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    first = _closed(warehouse, tmp_path, PLAIN)
    # all were built, and are empty: the book has none of the features
    assert _idle(first) == _declared(first)
    second = _closed(warehouse, tmp_path, FEATURES)
    assert {name for names in _idle(second).values() for name in names} == ASKED_BY_NONE
    # nothing lands any more: what the features left in the ledger and in the book still counts
    third = _closed(warehouse, tmp_path, (), days=40)
    assert {name for names in _idle(third).values() for name in names} <= ASKED_BY_NONE
    for close_id in (2, 3):
        again = rederive(
            warehouse,
            tmp_path / "home",
            close_id=close_id,
            as_of=None,
            known_at=None,
            now=NOW,
            progress=SilentProgress(),
        )
        assert again.recorded
        assert again.recorded == again.derived
    # what does not get through is built whole the next time
    with pytest.raises(RuntimeError), building(warehouse, third.runs, LEDGER):
        raise RuntimeError
    with building(warehouse, third.runs, LEDGER) as ledger, building(warehouse, third.runs, MARTS) as marts:
        assert (ledger.idle, ledger.is_made_anew) == ((), True)
        assert (set(marts.idle), marts.is_made_anew) == (_idle(third)[MARTS], False)
        assert marts.idle
    waited_for, others = _tests_before_the_commit_row(third)
    assert waited_for
    assert others == set()


def test_what_no_model_makes_any_more_is_dropped_by_the_next_version(warehouse: Warehouse, tmp_path: Path) -> None:
    runs = DbtRuns(warehouse, tmp_path / "dbt")
    made = {
        "intermediate": ["int_fees", "int_gone", "mine"],
        "gate": ["gate_findings", "gate_gone"],
        "marts": ["fct_gone"],
        "raw": ["int_gone"],
    }
    with warehouse.connect() as session:
        for room, names in made.items():
            session.execute(f"create schema if not exists {session.schema(room)}")
            for name in names:
                session.execute(f"create table {session.schema(room)}.{name} (id integer)")
        session.execute(f"create schema if not exists {session.schema('staging')}")
        gone = f"select * from {session.schema('intermediate')}.int_gone"
        session.execute(f"create view {session.schema('staging')}.stg_gone as {gone}")

    def there() -> dict[str, list[str]]:
        with warehouse.connect() as session:
            return {
                room: sorted(
                    name
                    for (name,) in session.rows(
                        "select table_name from information_schema.tables where table_schema = ?",
                        [session.schema(room)],
                    )
                )
                for room in (*made, "staging")
            }

    # no version has built this warehouse yet
    with building(warehouse, runs, CANDIDATES):
        pass
    left = {**made, "intermediate": ["int_fees", "mine"], "gate": ["gate_findings"], "staging": []}
    assert there() == left
    # this version has, and looks no more
    with warehouse.connect() as session:
        session.execute(f"create table {session.schema('intermediate')}.int_gone (id integer)")
    with building(warehouse, runs, CANDIDATES):
        pass
    assert there() == {**left, "intermediate": made["intermediate"]}


def _closed(warehouse: Warehouse, tmp_path: Path, cases: Sequence[str], *, days: int = 0) -> CloseRun:
    """One close of all that has landed and of these cases, each an organisation, up to the end of all of them."""
    read = [read_case(CASES / f"{name}.json", organization_id=name) for name in cases]
    ends = [read_case(CASES / f"{name}.json", organization_id=name).as_of for name in (cases or FEATURES)]
    as_of = max(ends) + timedelta(days=days)
    run = CloseRun(CloseRequest(warehouse, tmp_path / "home", as_of, NOW), SilentProgress())
    prepare_warehouse(warehouse)
    land_books(warehouse, [case.book for case in read], landed_at=NOW, progress=SilentProgress())
    run.land()
    run.open()
    run.rate()
    run.finalize()
    assert run.marts() == ()
    return run


def _idle(run: CloseRun) -> Mapping[str, set[str]]:
    with run.request.warehouse.connect() as session:
        return {stage: set(idle_models(session, run.runs.manifest(), stage)) for stage in STAGES}


def _tests_before_the_commit_row(run: CloseRun) -> tuple[set[str], set[str]]:
    """The tests of tables of the ledger that `closes` waits for when the ledger is built, and those that it does not."""
    from dbt.compilation import Linker

    assert "--use-fast-test-edges" in BUILD
    manifest = run.runs.manifest()
    linker = Linker()
    linker.link_graph(manifest)
    linker.add_test_edges_2(manifest)
    [commit] = [node.unique_id for node in manifest.nodes.values() if node.name == "closes"]
    tables = {node.unique_id for node in manifest.nodes.values() if node.fqn[1] == "ledger"} - {commit}
    tests = {
        node.unique_id
        for node in manifest.nodes.values()
        if str(node.resource_type) == "test" and set(node.depends_on.nodes) <= tables
    }
    before = networkx.ancestors(linker.graph, commit)
    return tests & before, tests - before


def _declared(run: CloseRun) -> Mapping[str, set[str]]:
    """The models of each stage that say what their rows come from, each followed to tables; a view is never left out."""
    manifest = run.runs.manifest()
    declared = [
        node
        for node in manifest.nodes.values()
        if str(node.resource_type) == "model" and node.config.meta.get("rows_only_with")
    ]
    assert all(list(tables_behind(manifest, node)) for node in declared)
    left_out = [node for node in declared if node.config.materialized != "view"]
    return {stage: {node.name for node in left_out if node.fqn[1] in folders} for stage, folders in STAGES.items()}
