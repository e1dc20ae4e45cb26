"""Full disks, truncated and damaged warehouses, bombs, and a gate that must stop a close.

Experiments 16, 17, 19, 20 and 22 of the fault list.
"""

import gzip
import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.book import BookError, read_book
from dagster_project.lib.close import close, land_books, rederive
from dagster_project.lib.close._publish import publish_marts, published_path
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.operations import open_store
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import DuckDBWarehouse, Warehouse, open_warehouse
from tests.faults.world import (
    AS_OF,
    FEBRUARY,
    PLAN_CENTS,
    UNIT_CENTS,
    Rated,
    add_lines,
    die,
    events,
    failed,
    killed,
    query,
    request_of,
    run_of,
    run_with,
    seals,
    units,
    write_book,
)

pytestmark = pytest.mark.slow


def limited(work: Callable[[], object], *, megabytes: float) -> Callable[[], object]:
    """The same work in a process whose files may not grow beyond a size: writing more fails as on a full disk."""

    def run() -> None:
        size = int(megabytes * 2**20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        work()

    return run


def test_a_warehouse_is_one_file_by_whatever_path_and_names_that_mean_something_else_are_refused(
    tmp_path: Path,
) -> None:
    """18: through a link the same lock and log; a name that dbt or the engine reads otherwise makes no second file."""
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "real.duckdb")
    assert open_warehouse(tmp_path / "link.duckdb") == open_warehouse(tmp_path / "real.duckdb")
    for name in (
        ":memory:",
        "md:bills",
        "bills?.duckdb",
        "bills#1.duckdb",
        "bills.2024.duckdb",
        "o'hara.duckdb",
        "ledger.duckdb",
    ):
        with pytest.raises(InputError, match="cannot be a DuckDB file"):
            open_warehouse(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["link.duckdb"]


def test_the_first_close_can_be_tried_before_it_is_made(tmp_path: Path, dbt_home: Path) -> None:
    """1: what was landed, or left by a close that was killed while it landed, has no reference tables yet."""
    run = run_of(DuckDBWarehouse(tmp_path / "warehouse.duckdb"), dbt_home, AS_OF, book=write_book(tmp_path / "book"))
    run.land()
    asked = run.request
    tried = rederive(
        asked.warehouse, dbt_home, close_id=None, as_of=asked.as_of, known_at=None, now=asked.now, progress=run.progress
    )
    of_february = PLAN_CENTS + UNIT_CENTS * units(FEBRUARY)
    assert [row.derived_total_cents for row in tried.differences] == [of_february] * 3


def test_a_full_disk_while_landing_leaves_nothing_half_done(tmp_path: Path, dbt_home: Path) -> None:
    """19: the error is readable, what was landed before is intact, the next landing takes the rest."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    book = write_book(tmp_path / "book")
    run_of(warehouse, dbt_home, AS_OF, book=book).land()
    before = query(warehouse, "select count(*), max(batch_id) from {raw}.usage_events")
    many = [
        {**events("clean")[0], "transaction_id": f"m{number}", "properties": {"n": "1", "text": os.urandom(40).hex()}}
        for number in range(60_000)
    ]
    add_lines(book / "events" / "clean-many.jsonl", many)
    size = warehouse.path.stat().st_size / 2**20
    failed(limited(run_of(warehouse, dbt_home, AS_OF, book=book).land, megabytes=size + 0.5), words="file too large")
    assert query(warehouse, "select count(*), max(batch_id) from {raw}.usage_events") == before
    landing = run_of(warehouse, dbt_home, AS_OF, book=book).land()
    assert landing is not None
    assert sum(file.landed_count for file in landing.files) == len(many)


def test_a_full_disk_while_finalising_or_rendering_stops_the_close_and_the_next_one_ends_it(
    on_duckdb: Rated, tmp_path: Path
) -> None:
    """19: nothing is committed, or all of it is, and documents follow."""
    own = on_duckdb.copy(tmp_path)
    failed(limited(own.run.finalize, megabytes=0.02), words="file too large")
    assert query(own.warehouse, "select count(*) from {ledger}.closes") == [(0,)]
    own.run.finalize()
    sealed = seals(own.warehouse)
    assert len(sealed) == 3
    run = run_with(own.warehouse, own.home, tmp_path / "documents")
    failed(limited(run.documents, megabytes=0.001), words="could not be opened")
    with open_store(own.warehouse.operations_url, schema=own.warehouse.operations_schema) as store:
        assert store.documents() == []
    assert run.documents() == 3
    assert seals(own.warehouse) == sealed


def test_a_full_disk_while_the_checks_are_written_down_is_one_error(
    on_duckdb: Rated, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """19: Great Expectations would tell it page by page, with a traceback each, and go on."""
    own = on_duckdb.copy(tmp_path)
    failed(limited(own.run.judge, megabytes=0.0005), words="The pages about the checks could not be written")
    assert "Traceback" not in "".join(capfd.readouterr())
    assert not own.run.judge().blocking


def test_a_full_disk_while_publishing_leaves_readers_the_old_copy_and_the_room_to_the_rest(tmp_path: Path) -> None:
    """19: what was half written is gone, and the next close writes all of it."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")

    def make(count: int) -> None:
        with warehouse.connect() as session:
            session.execute(
                f"create or replace table marts.numbers as select hash(n) as n from range({count}) as r (n)"
            )

    def counted() -> int:
        with duckdb.connect(str(published_path(warehouse)), read_only=True) as connection:
            [(count,)] = connection.execute("select count(*) from marts.numbers").fetchall()
        return int(count)

    with warehouse.connect() as session:
        session.execute("create schema marts")
    make(10)
    publish_marts(warehouse)
    make(1_000_000)
    failed(limited(lambda: publish_marts(warehouse), megabytes=1), words="the close is committed")
    assert counted() == 10
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    publish_marts(warehouse)
    assert counted() == 1_000_000


def test_a_truncated_write_ahead_log_is_noticed_before_anything_is_billed(
    tmp_path: Path, dbt_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20: DuckDB opens the file silently without the tail; the totals outside of it know what is missing."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    book = write_book(tmp_path / "book")
    run_of(warehouse, dbt_home, AS_OF, book=book).land()
    add_lines(book / "events" / "clean-2.jsonl", [{**events("clean")[0], "transaction_id": "second"}])

    def land_and_die() -> None:
        opened = DuckDBWarehouse._opened

        def without_checkpoints(self: DuckDBWarehouse, *, read_only: bool) -> duckdb.DuckDBPyConnection:
            connection = opened(self, read_only=read_only)
            if not read_only:
                # else the log is folded into the file when it is closed
                connection.execute("pragma disable_checkpoint_on_shutdown")
                connection.execute("set checkpoint_threshold = '1GB'")
            return connection

        monkeypatch.setattr(DuckDBWarehouse, "_opened", without_checkpoints)
        run_of(warehouse, dbt_home, AS_OF, book=book).land()
        die()

    killed(land_and_die)
    log = warehouse.path.with_suffix(".duckdb.wal")
    content = log.read_bytes()
    before = warehouse.path.read_bytes()
    for kept in (0.9, 0.5, 0.1):
        warehouse.path.write_bytes(before)
        log.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(BillingError, match=r"landing batch 2 .*is missing"):
            run_of(warehouse, dbt_home, AS_OF, book=book).land()
    # the way back: the files as they were
    warehouse.path.write_bytes(before)
    log.write_bytes(content)
    landing = run_of(warehouse, dbt_home, AS_OF, book=book).land()
    assert landing is not None
    assert landing.batch_id is None


def test_a_warehouse_from_an_old_backup_or_with_flipped_bytes_is_refused(on_duckdb: Rated, tmp_path: Path) -> None:
    """20: a close on record is missing in the backup; damage is told as damage, never billed from."""
    own = on_duckdb.copy(tmp_path)
    assert isinstance(own.warehouse, DuckDBWarehouse)
    backup = tmp_path / "backup.duckdb"
    shutil.copy(own.warehouse.path, backup)
    own.run.finalize()
    whole = own.warehouse.path.read_bytes()
    shutil.copy(backup, own.warehouse.path)
    with pytest.raises(BillingError, match=r"close 1 of organisation clean is missing.*Restore the warehouse"):
        run_with(own.warehouse, own.home).land()
    own.warehouse.path.write_bytes(whole[: len(whole) // 2])
    failed(run_with(own.warehouse, own.home).land, words="restore it from a backup")
    flipped = bytearray(whole)
    for place in range(4096, 12288):
        flipped[place] ^= 0xFF
    own.warehouse.path.write_bytes(bytes(flipped))
    failed(run_with(own.warehouse, own.home).land, words="restore it from a backup")
    own.warehouse.path.write_bytes(whole)
    run_with(own.warehouse, own.home).land()


def test_bombs_and_crowds_end_and_are_told_by_name(tmp_path: Path, dbt_home: Path) -> None:
    """16: a packed line of 200 MB, packed lines without end, JSON nested 100,000 deep, 2,000 tiny files; the rest lands."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    book = write_book(tmp_path / "book")
    folder = book / "events"
    with gzip.open(folder / "bomb.jsonl.gz", "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(b" " * 2**20)
        file.write(b"\n")
    good = json.dumps({**events("clean")[0], "transaction_id": "before"}).encode()
    # one member with an event, then 64 million empty lines behind what is no event
    (folder / "endless.jsonl.gz").write_bytes(gzip.compress(good + b"\n") + gzip.compress(b"{}" + b"\n" * 2**26))
    (folder / "deep.jsonl").write_text('{"properties": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    for number in range(2_000):
        (folder / f"tiny-{number}.jsonl").write_text(
            json.dumps({**events("clean")[0], "transaction_id": f"tiny{number}"}) + "\n"
        )
    run = run_of(warehouse, dbt_home, AS_OF, book=book)
    landing = run.land()
    assert landing is not None
    by_name = {Path(file.file_path).name: file for file in landing.files}
    assert by_name["deep.jsonl"].rejected_count == 1
    assert by_name["bomb.jsonl.gz"].landed_count == 0
    assert by_name["endless.jsonl.gz"].landed_count == 1
    [*reasons] = query(
        warehouse,
        "select reason from {raw}.quarantined_events join {raw}.landed_files using (file_id) "
        "where (file_path like '%/bomb.jsonl.gz' or file_path like '%/endless.jsonl.gz') and reason_code = 'damaged_file'",
    )
    assert len(reasons) == 2
    assert all("unpacks to more than 250 times its size" in reason for (reason,) in reasons)
    assert sum(file.landed_count for name, file in by_name.items() if name.startswith("tiny")) == 2_000
    assert by_name["clean.jsonl"].landed_count == len(events("clean"))


def test_a_file_replaced_under_its_name_is_taken_by_its_content_and_one_that_vanished_is_named(
    tmp_path: Path, dbt_home: Path
) -> None:
    """17."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    book = write_book(tmp_path / "book")
    run_of(warehouse, dbt_home, AS_OF, book=book).land()
    add_lines(book / "events" / "clean.jsonl", [*events("clean"), {**events("clean")[0], "transaction_id": "more"}])
    landing = run_of(warehouse, dbt_home, AS_OF, book=book).land()
    assert landing is not None
    [replaced] = [file for file in landing.files if not file.is_known]
    assert (replaced.landed_count, replaced.duplicates_count) == (1, len(events("clean")))

    add_lines(book / "events" / "gone.jsonl", [{**events("clean")[0], "transaction_id": "gone"}])
    add_lines(book / "events" / "stays.jsonl", [{**events("clean")[0], "transaction_id": "stays"}])
    (book / "events" / "link.jsonl").symlink_to(tmp_path / "nothing.jsonl")
    listed = read_book(book)
    (book / "events" / "gone.jsonl").unlink()
    with pytest.raises(InputError, match=r"gone\.jsonl.*link\.jsonl"):
        land_books(
            warehouse, [listed], landed_at=run_of(warehouse, dbt_home, AS_OF).request.now, progress=SilentProgress()
        )
    assert query(warehouse, "select count(*) from {raw}.usage_events where transaction_id = 'stays'") == [(1,)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("delete from raw.usage_events where transaction_id = 't1'", "events_of_files"),
        ("delete from raw.usage_events", "events_relations_filled"),
        ("alter table intermediate.int_fees_taxed drop column amount_cents", "finalize"),
        ("drop table gate.gate_held_customers", "relations_present"),
    ],
)
def test_the_gate_stops_a_close_on_a_failing_suite_an_empty_table_and_a_missing_relation(
    on_duckdb: Rated, tmp_path: Path, damage: str, words: str
) -> None:
    """22: nothing is finalised in any of them."""
    own = on_duckdb.copy(tmp_path)
    with own.warehouse.connect() as session:
        session.execute(damage)
    if "usage_events" in damage:
        own.run.runs.run(("gate_events_counted", "gate_landed_files", "gate_emptiness", "gate_control_totals"))
    report = own.run.judge()
    if words == "finalize":
        with pytest.raises(BillingError):
            own.run.finalize()
    else:
        assert report.blocking
        assert words in report.blocking_message()
    assert query(own.warehouse, "select count(*) from {ledger}.closes") == [(0,)]


def test_what_is_missing_of_what_was_landed_is_told_and_not_made_anew_empty(
    warehouse: Warehouse, tmp_path: Path, dbt_home: Path
) -> None:
    """22: a column and a table of the raw schema that somebody dropped."""
    book = write_book(tmp_path / "book")
    run_of(warehouse, dbt_home, AS_OF, book=book).land()
    for damage, name in (
        ("alter table {}.usage_events drop column quantity cascade", "usage_events.quantity"),
        ("drop table {}.subscriptions cascade", "subscriptions"),
    ):
        with warehouse.connect() as session:
            session.execute(damage.format(session.schema("raw")))
        with pytest.raises(BillingError, match=rf"{name}.*has it no more.*Restore the warehouse"):
            close(request_of(warehouse, dbt_home, AS_OF, book=book), SilentProgress())


def test_a_close_that_the_gate_stopped_commits_nothing_and_the_next_one_does(
    tmp_path: Path, dbt_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book with a mistake lands nothing; the mended one closes."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    book = write_book(tmp_path / "book")
    plans = book / "catalog" / "plans.yaml"
    whole = plans.read_text()
    plans.write_text(whole.replace("amount_cents: 1000", "amount_cents: ten"))
    with pytest.raises(BookError, match="amount_cents"):
        close(request_of(warehouse, dbt_home, AS_OF, book=book), SilentProgress())
    plans.write_text(whole)
    assert not warehouse.exists() or query(warehouse, "select 1 where false") == []
    landing = run_of(warehouse, dbt_home, AS_OF, book=book).land()
    assert landing is not None
    assert landing.batch_id == 1
