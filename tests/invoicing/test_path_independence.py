"""Closing in many steps gives the invoices, notes, numbers, moves and balances of one close, on both engines.

Also with late, corrected and cancelled events, with voids and with wallets topped up by rule: those cases are closed at
the same steps. And every close but the first derives all billed periods again, as the code calls itself by another name:
it must find no difference, also where late usage was adjusted before.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.lib.book import Case, read_case
from dagster_project.lib.close import (
    land_books,
    land_calendar,
    open_close,
    perform_top_ups,
    prepare_warehouse,
    rate_candidates,
    seed_reference,
)
from dagster_project.lib.dbt_runs import LEDGER_SELECTION, RATING_SELECTION, DbtRuns
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse
from tests.invoicing.books import AS_OF, START, books

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CASES = Path(__file__).resolve().parents[1] / "cases"
DATED_CASES = [
    path
    for pattern in (
        "restatement/*.json",
        "invoice/voided_*.json",
        "invoice/*_rule_*.json",
        "invoice/threshold_before_*.json",
        "lifecycle/end_without_a_closing_invoice_*.json",
        "invoice/what_is_set_off_*.json",
    )
    for path in sorted(CASES.glob(pattern))
]
TABLES = {
    "ledger_invoices": "invoice_id, invoice_number, invoice_status, issuing_date, fees_amount_cents, "
    "progressive_billing_credit_amount_cents, coupons_amount_cents, taxes_amount_cents, credit_notes_amount_cents, "
    "prepaid_credit_amount_cents, total_amount_cents, instant_rank, order_key",
    "ledger_moments": "moment_id, invoice_id, billing_at, finalizes_at, timezone, billing_date, usage_from_at",
    "ledger_moment_fates": "moment_id, code, fate, events_count",
    "ledger_fees": "fee_id, invoice_id, line_number, amount_cents, precise_coupons_amount_cents, taxes_amount_cents",
    "ledger_postings": "invoice_id, posting_kind, source_id, amount_cents, balance_cents",
    "ledger_credit_notes": "credit_note_id, credit_note_number, credit_amount_cents, refund_amount_cents, "
    "taxes_amount_cents, total_amount_cents",
    "ledger_credit_note_items": "credit_note_id, fee_id, precise_amount_cents",
    "ledger_restatements": "restatement_id, cause, outcome, difference_amount_cents, settled_amount_cents",
    "ledger_wallet_moves": "wallet_move_id, move_kind, moved_at, amount_cents, credits, balance_cents, credits_balance",
    "ledger_wallet_top_ups": "wallet_transaction_id, topped_up_at, credits, ongoing_credits, pending_credits",
}


def closed(cases: Sequence[Case], warehouse: Warehouse, home: Path, moments: Sequence[datetime]) -> dict[str, list]:
    """The ledger after one close at each moment, each by a code of another version, which makes the same of everything."""
    prepare_warehouse(warehouse)
    land_books(warehouse, [case.book for case in cases], landed_at=NOW, progress=SilentProgress())
    land_calendar(warehouse, last_year=2025)
    runs = DbtRuns(warehouse, home)
    seed_reference(warehouse, runs)
    for number, moment in enumerate(moments):
        with warehouse.connect() as session:
            as_of = {case.organization_id: moment for case in cases}
            code_versions = dict.fromkeys(as_of, f"version {number}")
            open_close(session, as_of=as_of, known_at=None, started_at=NOW, code_versions=code_versions)
        rate_candidates(warehouse, runs, RATING_SELECTION)
        perform_top_ups(warehouse, runs, RATING_SELECTION)
        runs.run(LEDGER_SELECTION)
    with warehouse.connect(read_only=True) as session:
        ledger = session.schema("ledger")
        found = {
            table: session.rows(f"select organization_id, {columns} from {ledger}.{table} order by 1, 2, 3, 4")
            for table, columns in TABLES.items()
        }
        found["balances"] = session.rows(
            f"""
            select organization_id, source_type, source_id, balance_cents, periods_left, credits_balance,
                consumed_credits, is_live
            from {ledger}.ledger_balances as balances
            where close_id = (
                select max(newer.close_id) from {ledger}.ledger_balances as newer
                where newer.source_type = balances.source_type and newer.source_id = balances.source_id
            )
            order by 1, 2, 3
            """
        )
        return found


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_closes_give_what_one_gives(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    cases = []
    for case in books(3, 8, is_plain=True):
        path = folder / f"{case['case']}.json"
        path.write_text(json.dumps(case))
        cases.append(read_case(path, organization_id=case["case"]))
    cases += [read_case(path, organization_id=path.stem) for path in DATED_CASES]
    steps = [START + timedelta(days=days, hours=6) for days in (20, 65, 91, 135)]
    at_once = closed(cases, warehouse, tmp_path / "once", [AS_OF])
    assert len(at_once["ledger_restatements"]) > 15
    other: Warehouse
    if isinstance(warehouse, PostgresWarehouse):
        other = PostgresWarehouse(warehouse.url, f"{warehouse.schema}s")
    else:
        other = DuckDBWarehouse(tmp_path / "steps" / "warehouse.duckdb")
    step_by_step = closed(cases, other, tmp_path / "steps_home", [*steps, AS_OF])
    for table, rows in at_once.items():
        assert step_by_step[table] == rows, table
