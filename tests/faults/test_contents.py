"""Rows that were changed in place under the same counts: told before anything is billed, with table, batch and file.

Experiment 20 of the fault list, on both engines; nothing is rated here.
"""

from datetime import datetime
from pathlib import Path

import pytest

from dagster_project.lib.close import _contents, backfill, lost_totals, withdraw
from dagster_project.lib.close._totals import record_totals
from dagster_project.lib.errors import BillingError
from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations import open_store
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import Warehouse
from tests.faults.world import add_lines, events, run_of, write_book

AS_OF = "2024-03-01T12:00:00Z"
ONE_EVENT = "transaction_id = 't1' and organization_id = 'clean'"
OF_CLEAN = "organization_id = 'clean'"
CHANGED = "rows are not as they were landed"
# the table, what is changed in it and where, and what the error says
DAMAGES = (
    ("usage_events", "quantity = quantity + 1", ONE_EVENT, rf"clean\.jsonl, events of 2024-02\) its 5 {CHANGED}"),
    ("usage_events", """properties = '{"n":"9"}'""", ONE_EVENT, rf"clean\.jsonl, events of 2024-02\) its 5 {CHANGED}"),
    ("usage_events", "event_at = timestamp '2024-03-05 00:00:00'", ONE_EVENT, r"events of 2024-02\) had 5 rows, now 4"),
    ("charge_filters", "amount = amount * 2", OF_CLEAN, rf"plans\.yaml\) its 3 {CHANGED}"),
    ("customers", "currency = 'USD'", OF_CLEAN, rf"customers\.yaml\) its 3 {CHANGED}"),
    (
        "landing_batches",
        "landed_at = timestamp '2024-01-01 00:00:00'",
        "batch_id = 1",
        "its 1 row is not as it was landed",
    ),
)


def change(warehouse: Warehouse, table: str, values: str, rows: str) -> None:
    """Update rows of raw, as nobody should."""
    with warehouse.connect() as session:
        session.execute(f"update {session.schema('raw')}.{table} set {values} where {rows}")


def lost(warehouse: Warehouse, *, everything: bool = False) -> list[str]:
    """What the totals outside say."""
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        return lost_totals(warehouse, store, everything=everything)


@pytest.fixture
def landed(warehouse: Warehouse, tmp_path: Path, dbt_home: Path) -> Warehouse:
    """A warehouse with one batch on record."""
    run_of(warehouse, dbt_home, AS_OF, book=write_book(tmp_path / "book")).land()
    return warehouse


def test_a_row_that_was_changed_in_place_is_told_before_anything_is_billed(
    landed: Warehouse, tmp_path: Path, dbt_home: Path
) -> None:
    """Each damage alone: a quantity, a property, an instant, a price, an account, a batch."""
    for table, values, rows, words in DAMAGES:
        with landed.connect() as session:
            raw = session.schema("raw")
            session.execute(f"create table {raw}.kept as select * from {raw}.{table}")
        change(landed, table, values, rows)
        with pytest.raises(BillingError, match=rf"\.?{table} of landing batch 1 .*{words}.*Restore the warehouse"):
            run_of(landed, dbt_home, AS_OF, book=tmp_path / "book").land()
        with landed.connect() as session:
            session.execute(f"delete from {raw}.{table}")
            session.execute(f"insert into {raw}.{table} select * from {raw}.kept order by 1 desc")
            session.execute(f"drop table {raw}.kept")
        # the same rows in another order: nothing is wrong any more
        assert lost(landed, everything=True) == []
    with landed.connect() as session:
        session.execute(
            f"insert into {raw}.taxes (organization_id, tax_code, batch_id, source_file) values ('clean', 'x', 1, 'y')"
        )
    assert [words for words in lost(landed) if "taxes of landing batch 1 (y) had 0 rows, now 1" in words]


def test_what_no_close_bills_from_is_looked_at_by_the_audit(landed: Warehouse) -> None:
    change(landed, "quarantined_events", "raw_text = 'never sent'", "reason_code <> 'damaged_file'")
    assert lost(landed) == []
    [words] = lost(landed, everything=True)
    assert "quarantined_events of landing batch 1" in words
    assert "dirty-1.jsonl" in words


def test_a_close_looks_at_events_that_are_not_billed_yet_and_at_those_that_are_new(
    landed: Warehouse, tmp_path: Path, dbt_home: Path
) -> None:
    """As if a close had billed up to April, knowing batch 1: February is left to the audit, 2031 and batch 2 are not."""
    with landed.connect() as session:
        ledger = session.schema("ledger")
        session.execute(f"insert into {ledger}.closes (close_id) values (1)")
        session.execute(
            f"create table {ledger}.ledger_unsettled_usage (close_id bigint, organization_id varchar, code varchar, "
            "open_from_at timestamp, known_batch_id bigint)"
        )
        session.execute(
            f"insert into {ledger}.ledger_unsettled_usage values (1, 'clean', null, timestamp '2024-04-10 00:00:00', 1)"
        )
    assert lost(landed, everything=True) == []
    of_month = (
        f"{OF_CLEAN} and event_at >= timestamp '2024-{{}}-01 00:00:00' and event_at < timestamp '2024-{{}}-01 00:00:00'"
    )
    change(landed, "usage_events", "quantity = 7", of_month.format("02", "03"))
    assert lost(landed) == []
    assert ["events of 2024-02" in words for words in lost(landed, everything=True)] == [True]
    change(landed, "usage_events", "quantity = quantity + 1", "event_at >= timestamp '2031-01-01 00:00:00'")
    assert {("events of 2031-01" in words, "batch 1" in words) for words in lost(landed)} == {(True, True)}
    change(landed, "usage_events", "quantity = quantity - 1", "event_at >= timestamp '2031-01-01 00:00:00'")
    assert lost(landed) == []

    add_lines(tmp_path / "book" / "events" / "late.jsonl", [{**events("clean")[0], "transaction_id": "late"}])
    run_of(landed, dbt_home, AS_OF, book=tmp_path / "book").land()
    assert lost(landed) == []
    change(landed, "usage_events", "quantity = 7", "transaction_id = 'late'")
    assert ["batch 2" in words and "late.jsonl, events of 2024-02" in words for words in lost(landed)] == [True]


def test_a_batch_is_on_record_once_a_close_knows_it_and_may_be_taken_back_until_then(
    landed: Warehouse, tmp_path: Path, dbt_home: Path
) -> None:
    """Taken back, another batch has its number; each is what counts."""
    book = tmp_path / "book"
    add_lines(book / "events" / "late.jsonl", [{**events("clean")[0], "transaction_id": "late"}])
    backfill(landed, book, now=run_of(landed, dbt_home, AS_OF).request.now, progress=SilentProgress())
    assert lost(landed, everything=True) == []
    withdraw(landed, now=run_of(landed, dbt_home, AS_OF).request.now)
    assert lost(landed, everything=True) == []
    add_lines(book / "events" / "late.jsonl", [{**events("clean")[0], "transaction_id": "later"}])
    run_of(landed, dbt_home, AS_OF, book=book).land()
    assert lost(landed, everything=True) == []
    change(landed, "usage_events", "quantity = 0", "transaction_id = 'later'")
    assert [words for words in lost(landed, everything=True) if "of landing batch 2" in words and "late.jsonl" in words]


def test_columns_of_a_later_version_and_other_hashes_of_a_later_engine_are_no_damage(
    warehouse: Warehouse, tmp_path: Path, dbt_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is compared by the columns that it was recorded with; by counts alone where the engine hashes otherwise."""
    run = run_of(warehouse, dbt_home, AS_OF, book=write_book(tmp_path / "book"))
    with monkeypatch.context() as earlier:
        hashed = _contents._hashed
        earlier.setattr(_contents, "_hashed", lambda table: [name for name in hashed(table) if name != "currency"])
        run.land()
    assert lost(warehouse, everything=True) == []
    change(warehouse, "customers", "currency = 'USD'", OF_CLEAN)
    assert lost(warehouse) == []
    change(warehouse, "customers", "city = 'Lyon'", OF_CLEAN)
    assert ["customers of landing batch 1" in words for words in lost(warehouse)] == [True]

    change(warehouse, "customers", "city = null", OF_CLEAN)
    with monkeypatch.context() as later:
        later.setattr(_contents, "_method", lambda session: "another engine")
        change(warehouse, "charge_filters", "amount = amount * 2", OF_CLEAN)
        assert lost(warehouse) == []
        with warehouse.connect() as session:
            raw = session.schema("raw")
            session.execute(
                f"insert into {raw}.coupons (organization_id, coupon_code, batch_id) values ('clean', 'x', 1)"
            )
        assert ["coupons of landing batch 1 had 0 rows, now 1" in words for words in lost(warehouse)] == [True]
        with warehouse.connect() as session:
            session.execute(f"delete from {raw}.coupons")
        # what is there then counts from then on
        run.record_totals()
        change(warehouse, "charge_filters", "amount = amount / 2", OF_CLEAN)
        assert ["charge_filters of landing batch 1" in words for words in lost(warehouse)] == [True]


def test_a_store_that_knows_nothing_of_committed_closes_was_lost_and_is_told(landed: Warehouse, tmp_path: Path) -> None:
    """The audit fails for it; a close goes on and says so, for else nobody could ever close again."""
    with open_store(f"sqlite:///{tmp_path / 'new.sqlite'}") as store:
        assert lost_totals(landed, store, everything=True) == []
        with landed.connect() as session:
            ledger = session.schema("ledger")
            session.execute(f"insert into {ledger}.closes (close_id) values (1)")
            session.execute(
                f"create table {ledger}.ledger_close_organizations as "
                "select cast(1 as bigint) as close_id, 'clean' as organization_id, 'ab' as close_hash"
            )
        [words] = lost_totals(landed, store, everything=True)
        assert words.startswith("the operations store knows nothing of the 1 committed closes")
        assert lost_totals(landed, store) == []
        record_totals(landed, store, now=run_of(landed, tmp_path, AS_OF).request.now)
        assert lost_totals(landed, store, everything=True) == []


def test_a_store_that_lost_only_its_sums_is_told_by_the_audit(landed: Warehouse, tmp_path: Path) -> None:
    with (
        open_store(landed.operations_url, schema=landed.operations_schema) as store,
        store._engine.begin() as connection,
    ):
        connection.execute(tables.content_totals.delete())
    assert lost(landed) == []
    [words] = lost(landed, everything=True)
    assert words.startswith("the operations store has no sums of the rows of 1 landing batch (the first is 1)")
    with open_store(landed.operations_url, schema=landed.operations_schema) as store:
        record_totals(landed, store, now=run_of(landed, tmp_path, AS_OF).request.now)
    assert lost(landed, everything=True) == []


def test_a_close_never_goes_back(landed: Warehouse, tmp_path: Path, dbt_home: Path) -> None:
    """With a clock that went back, what was billed since would be taken for wrong, and restated to nothing."""
    with landed.connect() as session:
        ledger = session.schema("ledger")
        session.execute(f"insert into {ledger}.closes (close_id) values (1)")
        session.execute(
            f"create table {ledger}.ledger_close_organizations as select cast(1 as bigint) as close_id, "
            "'clean' as organization_id, timestamp '2024-03-01 12:00:00' as as_of, 'ab' as close_hash"
        )
    for asked, expected in [("2024-02-01T00:00:00Z", AS_OF), ("2024-04-01T00:00:00Z",) * 2]:
        scope = run_of(landed, dbt_home, asked).open()
        assert scope.as_of["clean"] == datetime.fromisoformat(expected)
        assert scope.as_of["dirty"] == datetime.fromisoformat(asked)
