"""A batch that no close has known can be taken back, whole, and leaves its trace."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.close import backfill, record_totals, withdraw
from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import open_store
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import Warehouse
from tests.faults.world import add_lines, events, query, write_book

NOW = datetime(2024, 3, 2, tzinfo=UTC)
HELD = (
    "select (select count(*) from {raw}.usage_events), (select count(*) from {raw}.duplicate_events), "
    "(select count(*) from {raw}.landed_files), (select count(*) from {raw}.customers), "
    "(select count(*) from {raw}.landing_batches)"
)


def test_a_backfill_is_taken_back_whole_until_it_is_on_record(warehouse: Warehouse, tmp_path: Path) -> None:
    book = write_book(tmp_path / "book")
    assert backfill(warehouse, book, now=NOW, progress=SilentProgress()).batch_id == 1
    before = query(warehouse, HELD)
    more = {**events("clean")[0], "transaction_id": "more"}
    add_lines(book / "events" / "clean-more.jsonl", [more, more])
    assert backfill(warehouse, book, now=NOW, progress=SilentProgress()).batch_id == 2
    assert query(warehouse, HELD) != before

    taken = withdraw(warehouse, now=NOW, reason="the wrong month")
    assert (taken.batch_id, taken.files_count, taken.landed_count) == (2, 1, 1)
    assert query(warehouse, HELD) == before
    log = "select batch_id, files_count, landed_count, reason from {raw}.withdrawn_batches"
    assert query(warehouse, log) == [(2, 1, 1, "the wrong month")]

    # the same file again is new, and what the totals outside know stays
    assert backfill(warehouse, book, now=NOW, progress=SilentProgress()).batch_id == 2
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        record_totals(warehouse, store, now=NOW)
    with pytest.raises(InputError, match="batch 2 cannot be taken back"):
        withdraw(warehouse, now=NOW)
