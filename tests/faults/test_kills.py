"""SIGKILL in every step of a close; orphans, lost connections and two closes at once.

Experiments 1 to 4, 18 and 21 of the fault list. Kills are real ones, of a forked child at the beginning of a model or a
test, and the next close must give the ledger of DuckDB's undisturbed one, seal for seal. What SIGKILL leaves of a DuckDB
warehouse is its files as they are: a copy of them before each model is a kill there, looked at without a run of its own.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg2
import pytest

import invoice_renderer
from dagster_project.lib.close import _close as close_module
from dagster_project.lib.close import close
from dagster_project.lib.close._close import CloseRun
from dagster_project.lib.close._outbox import queue_messages
from dagster_project.lib.errors import BillingError, WarehouseBusyError
from dagster_project.lib.operations import OperationsStore, open_store
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import (
    DuckDBWarehouse,
    PostgresWarehouse,
    Warehouse,
    require_lock,
    warehouse_lock,
)
from dagster_project.lib.warehouse import _warehouse as warehouse_module
from tests.faults.world import (
    AS_OF,
    Rated,
    die,
    killed,
    numbers_have_no_gap,
    query,
    rated,
    request_of,
    run_with,
    seals,
    write_book,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, dbt_home: Path, postgres_url: str) -> Rated:
    folder = tmp_path_factory.mktemp("postgres")
    return rated(PostgresWarehouse(postgres_url, "kills"), dbt_home, folder)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A close that nobody disturbed: its warehouse, its seals, and its files as they were before each model and test."""

    rated: Rated
    seals: Mapping[tuple[int, str], str]
    killed_at: tuple[DuckDBWarehouse, ...]


@pytest.fixture(scope="module")
def undisturbed(on_duckdb: Rated, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    own = on_duckdb.copy(tmp_path_factory.mktemp("undisturbed"))
    assert isinstance(own.warehouse, DuckDBWarehouse)
    path, copies = own.warehouse.path, tmp_path_factory.mktemp("killed")
    killed_at: list[DuckDBWarehouse] = []

    def copy(number: int, _total: int, _unit: str) -> None:
        killed = DuckDBWarehouse(copies / str(number) / path.name)
        killed.path.parent.mkdir()
        for file in (path, path.with_suffix(".duckdb.wal")):
            if file.exists():
                shutil.copy(file, killed.path.parent)
        killed_at.append(killed)

    own.run.runs.on_node = copy
    own.run.finalize()
    assert len(seals(own.warehouse)) == 3
    return Undisturbed(own, seals(own.warehouse), tuple(killed_at))


def dies_at(run: CloseRun, node: int, step: Callable[[CloseRun], object]) -> Callable[[], None]:
    """A step that kills itself when the given model or test begins."""

    def tell(number: int, _total: int, _unit: str) -> None:
        if number >= node:
            die()

    def work() -> None:
        run.runs.on_node = tell
        with warehouse_lock(run.request.warehouse, purpose="a child", timeout_seconds=30):
            step(run)

    return work


def dies_after(run: CloseRun, seconds: float) -> Callable[[], None]:
    """Finalising that is killed after some time, in the middle of whatever it does then."""

    def work() -> None:
        threading.Timer(seconds, die).start()
        with warehouse_lock(run.request.warehouse, purpose="a child", timeout_seconds=30):
            while True:
                run.finalize()

    return work


def committed(warehouse: Warehouse) -> int:
    [(count,)] = query(warehouse, "select count(*) from {ledger}.closes")
    return int(count)


@pytest.mark.postgres
def test_a_lost_connection_stops_the_close_and_leaves_the_ledger_as_it_was(on_postgres: Rated) -> None:
    """The server ends the session that writes; the kills below go on with this warehouse and close it in the end."""
    warehouse = on_postgres.warehouse
    assert isinstance(warehouse, PostgresWarehouse)
    run = run_with(warehouse, on_postgres.home)

    ended = threading.Event()

    def cut() -> None:
        connection = psycopg2.connect(warehouse.url)
        # within one transaction the server shows the sessions of its beginning
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not ended.wait(0.05):
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
                    (warehouse.writers,),
                )
        connection.close()

    cutter = threading.Thread(target=cut)
    with warehouse_lock(warehouse, purpose="test"):
        cutter.start()
        try:
            with pytest.raises(BillingError, match="dbt build"):
                run.finalize()
        finally:
            ended.set()
            cutter.join()
    assert committed(warehouse) == 0


def test_killed_before_any_model_of_the_ledger_readers_see_the_close_before_or_all_of_it(
    undisturbed: Undisturbed,
) -> None:
    """1, 3: each model and test of finalising in turn; the commit row is the last model, only its tests come behind."""
    assert len(undisturbed.killed_at) > 30
    found = [seals(warehouse) if committed(warehouse) else {} for warehouse in undisturbed.killed_at]
    assert found[0] == {}
    assert [state for state in found if state not in ({}, undisturbed.seals)] == []
    assert found == sorted(found, key=len)


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_killed_in_each_step_and_run_again_gives_the_same_ledger(
    engine: str, request: pytest.FixtureRequest, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """1, 2, 3: one kill after the other on one warehouse; no reader sees a half close, no number is lost or doubled."""
    own: Rated = request.getfixturevalue(f"on_{engine}")
    if engine == "duckdb":
        own = own.copy(tmp_path)
    nodes = len(undisturbed.killed_at)
    killed(dies_at(own.run, 40, CloseRun.rate))
    for node in (nodes // 4, nodes // 2):
        killed(dies_at(own.run, node, CloseRun.finalize))
        assert committed(own.warehouse) == 0
    killed(dies_after(own.run, 1.5))
    assert not committed(own.warehouse) or seals(own.warehouse) == undisturbed.seals
    # all steps again, as the command runs them; the close is committed when its marts are half made
    killed(lambda: whole_close_that_dies_in_its_marts(own))
    own_run = run_with(own.warehouse, own.home)
    assert own_run.marts() == ()
    assert {key: seal for key, seal in seals(own.warehouse).items() if key[0] == 1} == undisturbed.seals
    assert numbers_have_no_gap(own.warehouse)
    assert query(own.warehouse, "select count(*) from {marts}.fct_invoice") == [(3,)]
    # a committed close is not repeated
    own_run.finalize()
    assert {key: seal for key, seal in seals(own.warehouse).items() if key[0] == 1} == undisturbed.seals


def whole_close_that_dies_in_its_marts(own: Rated) -> None:
    real = CloseRun.marts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CloseRun, "marts", lambda run: dies_at(run, 5, real)())
        close(request_of(own.warehouse, own.home, AS_OF), SilentProgress())


def test_killed_while_rendering_the_same_bytes_appear_and_nothing_was_sent_before(
    undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4, 21: between finalising and documents, between documents and their record, and queueing twice at once."""
    own = undisturbed.rated
    assert isinstance(own.warehouse, DuckDBWarehouse)
    out = tmp_path / "documents"
    run = run_with(own.warehouse, own.home, out)

    def die_before_the_record() -> None:
        monkeypatch.setattr(OperationsStore, "record_documents", lambda *_: die())
        run.documents()

    def die_while_rendering() -> None:
        real = invoice_renderer.render_many

        def one_then_die(invoices: list[object], *arguments: object, **options: object) -> None:
            real(invoices[:1], *arguments, **options)
            die()

        monkeypatch.setattr(invoice_renderer, "render_many", one_then_die)
        run.documents()

    killed(die_while_rendering)
    first = {path.name: path.read_bytes() for path in out.rglob("*.pdf")}
    assert len(first) == 1
    killed(die_before_the_record)
    with open_store(own.warehouse.operations_url, schema=own.warehouse.operations_schema) as store:
        assert store.documents() == []
        assert store.message_ids("invoice.finalized") == set()
    assert run.documents() == 3
    again = {path.name: path.read_bytes() for path in out.rglob("*.pdf")}
    assert first.items() <= again.items()
    with open_store(own.warehouse.operations_url, schema=own.warehouse.operations_schema) as store:
        recorded = store.documents()
        assert len(recorded) == 9
        # a step that is retried, and two that run at once, queue each message once
        killed(lambda: (queue_messages(own.warehouse, store, now=datetime.now(UTC)), die()))
        assert len(store.message_ids("invoice.finalized")) == 3
        assert queue_messages(own.warehouse, store, now=datetime.now(UTC)) == 0


@pytest.mark.postgres
def test_what_a_dead_close_left_running_in_the_server_is_ended_by_the_next(postgres_url: str) -> None:
    """2: the client is gone, its statement and its locks are not."""
    warehouse = PostgresWarehouse(postgres_url, "orphan")

    def leave_an_orphan() -> None:
        with warehouse_lock(warehouse, purpose="dead close"), warehouse.connect() as session:
            session.execute("create schema if not exists orphan_raw")
            session.execute("begin")
            session.execute("create table orphan_raw.held (number bigint)")
            threading.Timer(0.5, die).start()
            session.execute("select pg_sleep(600)")

    killed(leave_an_orphan)
    told: list[str] = []
    with (
        warehouse_lock(warehouse, purpose="next close", timeout_seconds=20, waiting=told.append),
        warehouse.connect() as session,
    ):
        session.execute("create table orphan_raw.held (number bigint)")
        session.execute("drop schema orphan_raw cascade")
    assert any("dead process" in text for text in told)


@pytest.mark.postgres
def test_a_close_that_lost_its_lock_writes_no_more(postgres_url: str) -> None:
    """A broken connection frees the advisory lock: the holder is told before its next step."""
    warehouse = PostgresWarehouse(postgres_url, "fence")
    with warehouse_lock(warehouse, purpose="first close"):
        require_lock(warehouse)
        with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'meterhouse first close'"
            )
        with pytest.raises(BillingError, match="another close may have begun"):
            require_lock(warehouse)


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_second_of_two_closes_is_told_who_holds_the_warehouse_or_waits(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, dbt_home: Path
) -> None:
    warehouse: Warehouse = (
        DuckDBWarehouse(tmp_path / "warehouse.duckdb")
        if engine == "duckdb"
        else PostgresWarehouse(request.getfixturevalue("postgres_url"), "busy")
    )
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()

    def hold() -> None:
        with warehouse_lock(warehouse, purpose="a long close"):
            held.set()
            release.wait(60)

    holder = context.Process(target=hold, daemon=True)
    holder.start()
    assert held.wait(30)
    with pytest.raises(WarehouseBusyError, match="a long close"):
        close(replace(request_of(warehouse, dbt_home, AS_OF), lock_seconds=0), SilentProgress())
    told: list[str] = []

    def waiting(text: str) -> None:
        told.append(text)
        release.set()

    with warehouse_lock(warehouse, purpose="a patient close", timeout_seconds=30, waiting=waiting):
        assert any("a long close" in text for text in told)
    holder.join(10)


def test_another_program_with_the_file_open_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18: a program that knows nothing of our lock, such as a shell on the warehouse."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    duckdb.connect(str(warehouse.path)).close()
    shell = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); "
        "time.sleep(float(sys.argv[2]))"
    )

    def opened(seconds: float) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", shell, str(warehouse.path), str(seconds)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        return process

    # on a busy machine the sleeper may take longer to wake than a user is made to wait
    monkeypatch.setattr(warehouse_module, "_FOREIGN_SECONDS", 60.0)
    short = opened(1.0)
    with warehouse.connect() as session:
        assert session.rows("select 1") == [(1,)]
    short.communicate()
    monkeypatch.setattr(warehouse_module, "_FOREIGN_SECONDS", 0.5)
    long = opened(60.0)
    try:
        with pytest.raises(WarehouseBusyError, match=str(long.pid)), warehouse.connect():
            pass
    finally:
        os.kill(long.pid, signal.SIGKILL)
        long.communicate()
    with warehouse.connect() as session:
        assert session.rows("select 1") == [(1,)]


def test_the_steps_of_a_close_ask_for_the_lock_before_each(
    tmp_path: Path, dbt_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close whose lock is lost while it lands does not go on to the next step."""
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")

    def lost(_warehouse: object) -> None:
        raise BillingError("the lock was lost")

    monkeypatch.setattr(close_module, "require_lock", lost)
    with pytest.raises(BillingError, match="the lock was lost"):
        close(request_of(warehouse, dbt_home, AS_OF, book=write_book(tmp_path / "book")), SilentProgress())
    assert query(warehouse, "select count(*) from {raw}.close_scope") == [(0,)]
