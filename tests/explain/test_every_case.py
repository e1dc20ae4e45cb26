"""Every line and posting of the invoices of all billing cases is explained, and computed again to the same figures.

So are those of random books, which have what no case has: filters alike, events at the very instant of an end, … In
half of them subscriptions change their plans.
"""

from itertools import islice
from pathlib import Path

import pytest

from dagster_project.lib.book import read_case
from dagster_project.lib.explain import explain_invoice
from dagster_project.lib.warehouse import Warehouse
from tests.rating.books import books, with_plan_changes
from tests.rating.runs import outcomes, write_cases

TESTS = Path(__file__).resolve().parents[1]
PATHS = sorted((TESTS / "cases").rglob("*.json"))
SEED, BOOKS = 7, 30


@pytest.mark.slow
def test_every_invoice_of_the_cases_agrees(warehouse: Warehouse, tmp_path: Path) -> None:
    cases = [read_case(path, organization_id=str(path.relative_to(TESTS).with_suffix(""))) for path in PATHS]
    drawn = enumerate(islice(books(SEED), BOOKS))
    write_cases((with_plan_changes(book) if number % 2 else book for number, book in drawn), tmp_path / "books")
    cases += [read_case(path, organization_id=path.stem) for path in sorted((tmp_path / "books").iterdir())]
    outcomes(cases, warehouse, tmp_path)
    wrong, kinds, lines_count = [], set(), 0
    with warehouse.connect(read_only=True) as session:
        invoices = session.rows(
            f"select organization_id, invoice_number from {session.schema('ledger')}.ledger_invoices "
            "where invoice_number is not null order by 1, 2"
        )
        for organization_id, number in invoices:
            found = explain_invoice(session, number, organization_id=organization_id)
            for line in found.lines:
                lines_count += 1
                kinds.add(str(line.fee["fee_type"]))
                if not line.agrees or line.recomputed_cents is None or not line.sentences:
                    wrong.append((organization_id, number, line.line_number, line.recomputed_cents, line.open_point))
            wrong += [
                (organization_id, number, posting.kind, posting.recomputed_cents, None)
                for posting in found.postings
                if not posting.agrees
            ]
    assert wrong == []
    assert lines_count > 1200
    assert kinds == {
        "subscription",
        "charge",
        "true_up",
        "commitment",
        "fixed_charge",
        "add_on",
        "credit",
        "adjustment",
    }
