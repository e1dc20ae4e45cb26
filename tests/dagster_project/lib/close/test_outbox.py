"""What is said of an invoice fits a webhook, however long its names are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.lib.close._outbox import INVOICE_FINALIZED, _fitting, _size, _untold_invoice_ids
from dagster_project.lib.ledger._invoices import _shown_filter
from dagster_project.lib.operations import Message, open_store
from dagster_project.lib.warehouse import DuckDBWarehouse


def invoice(name: str, taxes: int) -> dict[str, Any]:
    return {
        "invoice_id": "i" * 32,
        "number": "ACM-0001-001-001",
        "customer": {"name": name, "address": [name, "Paris"]},
        "taxes": [{"code": f"t{number}", "amount_cents": number} for number in range(taxes)],
        "total_amount_cents": 12_345,
    }


def test_what_fits_is_said_in_full() -> None:
    data = invoice("A" * 5_000, 3)
    assert _fitting(data) == data


def test_long_texts_are_cut_and_figures_stay() -> None:
    short = _fitting(invoice("é" * 10_000, 3))
    assert short == {
        **invoice("", 3),
        "customer": {"name": "é" * 199 + "…", "address": ["é" * 199 + "…", "Paris"]},
    }
    assert _size(short) < 18_000


def test_where_that_does_not_do_lists_and_parts_are_left_to_the_document() -> None:
    assert _fitting(invoice("A", 1_000)) == {**invoice("", 0), "customer": None, "taxes": None}


def test_a_filter_shows_its_keys_in_order_and_any_value_as_null() -> None:
    stored = '{"region": ["eu, \\"west\\"", "us"], "cloud": ["__ALL_FILTER_VALUES__"]}'
    assert _shown_filter(stored) == '{"cloud":null,"region":["eu, \\"west\\"","us"]}'


def test_what_is_left_to_tell_is_found_from_the_newest_close_back(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with warehouse.connect() as session:
        for statement in (
            "create schema ledger",
            "create table ledger.closes as select unnest([1, 2, 3, 5]) as close_id",
            # close 4 was never committed, close 5 issued nothing with a number
            "create table ledger.ledger_invoices as select * from (values (1, 'a', 1, 'n-1'), (2, 'c', 3, 'n-3'), "
            "(2, 'b', 2, 'n-2'), (3, 'd', 4, 'n-4'), (4, 'e', 5, 'n-5'), (5, 'f', null, null)) "
            "as invoices (close_id, invoice_id, organization_sequence, invoice_number)",
            "alter table ledger.ledger_invoices add column organization_id varchar default 'acme'",
        ):
            session.execute(statement)
        with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
            for told, left in (("", "abcd"), ("ab", "cd"), ("c", "d"), ("d", "")):
                store.enqueue([_told(invoice_id, now) for invoice_id in told], now=now)
                assert _untold_invoice_ids(session, store) == list(left)


def _told(invoice_id: str, now: datetime) -> Message:
    return Message(
        type=INVOICE_FINALIZED, organization_id="acme", object_id=invoice_id, sequence=1, occurred_at=now, data={}
    )
