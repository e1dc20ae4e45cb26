"""Explanations of a book of which every figure was worked out by hand (by_hand.py), on both engines."""

from pathlib import Path

import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.explain import InvoiceExplanation, explain_invoice
from dagster_project.lib.preview import preview_invoices
from dagster_project.lib.warehouse import Warehouse
from tests.dagster_project.lib.explain.by_hand import FEBRUARY_TENTH, MARCH_SECOND, PREVIEWS, close_at


def first_number(warehouse: Warehouse) -> str:
    with warehouse.connect(read_only=True) as session:
        rows = session.rows(
            f"select invoice_number from {session.schema('ledger')}.ledger_invoices order by customer_sequence"
        )
    return str(rows[0][0])


def explained(warehouse: Warehouse, **options: int) -> InvoiceExplanation:
    number = first_number(warehouse)
    with warehouse.connect(read_only=True) as session:
        return explain_invoice(session, number, **options)


@pytest.mark.slow
def test_january_and_the_preview_of_february(warehouse: Warehouse, tmp_path: Path) -> None:
    runs = close_at(warehouse, tmp_path, [FEBRUARY_TENTH])
    found = explained(warehouse)
    assert found.agrees
    lines = {line.fee["fee_name"]: line for line in found.lines}
    assert {name: (line.recomputed_cents, line.fee["amount_cents"]) for name, line in lines.items()} == {
        "Pro": (1600, 1600),
        "Tokens": (1550, 1550),
        "Calls, EU": (5, 5),
        "Support": (800, 800),
    }
    assert "2026-01-16 to 2026-01-31: 31.00 EUR x 16 / 31 days = 16.00 EUR." in lines["Pro"].sentences
    assert [sentence.strip() for sentence in lines["Tokens"].sentences] == [
        "Metric tokens adds up the property n of the events with code tokens.",
        "Usage of 2026-01-16 to 2026-01-31, as known before 2026-02-01 00:00:00 UTC.",
        "2 events: 150 units.",
        "Graduated price, range by range:",
        "0 to 100: 100 x 0.10 EUR + 1.00 EUR flat = 11.00 EUR",
        "101 and above: 50 x 0.05 EUR + 2.00 EUR flat = 4.50 EUR",
        "in all 15.50 EUR.",
    ]
    assert [(event.transaction_id, str(event.event_at), event.value) for event in lines["Tokens"].events] == [
        ("t1", "2026-01-20 08:00:00", "60"),
        ("t2", "2026-01-25 08:00:00", "90"),
    ]
    assert "This line: usage of which region is eu." in lines["Calls, EU"].sentences
    assert lines["Calls, EU"].sentences[-1] == "0.045 EUR, rounded to 0.05 EUR, half away from zero."
    assert [(posting.kind, posting.amount_cents) for posting in found.postings] == [
        ("coupon", -500),
        ("tax", 691),
        ("prepaid_credit", -1000),
        ("total", 3146),
    ]
    coupon, tax, wallet, _ = found.postings
    assert coupon.sentences[0] == "Coupon welcome, attached 2026-01-17: 5.00 EUR, once."
    assert coupon.sentences[-1] == "0.00 EUR of it are left."
    assert tax.sentences == ("VAT, 20 % of 34.55 EUR: 6.91 EUR, named by the organisation.",)
    assert wallet.sentences == ("10 credits at 1.00 EUR; 0.00 EUR are left.",)

    runs.run(PREVIEWS)
    with warehouse.connect(read_only=True) as session:
        [preview] = preview_invoices(session, "sub")
        with pytest.raises(InputError, match="Nothing is open for the subscription nobody"):
            preview_invoices(session, "nobody")
    assert {line["fee_name"]: line["amount_cents"] for line in preview.lines} == {
        "Pro": 3100,
        "Tokens": 300,
        "Support": 800,
    }
    assert preview.invoice["invoice_state"] == "running"
    assert preview.invoice["issuing_date"].isoformat() == "2026-03-01"
    assert (preview.invoice["taxes_amount_cents"], preview.invoice["total_amount_cents"]) == (840, 5040)
    assert preview.invoice["wallets_balance_cents"] == 0


@pytest.mark.slow
def test_an_invoice_of_an_earlier_close_is_explained_and_a_changed_event_is_found_out(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    close_at(warehouse, tmp_path, [FEBRUARY_TENTH, MARCH_SECOND])
    found = explained(warehouse, events_shown=1)
    assert found.agrees
    [tokens] = [line for line in found.lines if line.fee["fee_code"] == "tokens"]
    assert (len(tokens.events), tokens.events_total) == (1, 2)
    [only] = explained(warehouse, line=tokens.line_number).lines
    assert only.sentences == tokens.sentences
    with pytest.raises(InputError, match="has no line 9"):
        explained(warehouse, line=9)

    # one token more makes 151: 51 at 0.05 are 2.55 in place of 2.50
    with warehouse.connect() as session:
        session.execute(
            f"update {session.schema('raw')}.usage_events set properties = ? where transaction_id = 't1'",
            ['{"n": "61"}'],
        )
    changed = explained(warehouse)
    assert not changed.agrees
    [wrong] = [line for line in changed.lines if not line.agrees]
    assert (wrong.fee["fee_code"], wrong.recomputed_units, wrong.recomputed_cents) == ("tokens", 151, 1555)
    assert all(posting.agrees for posting in changed.postings)
