"""One writer at a time: the lock that every entry point (command, UI, schedule) takes before it touches a warehouse.

DuckDB: an exclusive lock on a file beside the warehouse, which the system releases when its holder dies.
PostgreSQL: a session-level advisory lock, held on a connection of its own for as long as the work lasts. Who takes it
first ends what a dead holder left running in the server: sessions that write carry the warehouse's name. A holder that
lost its lock, because that connection broke, is told by `require_lock` before its next step and writes no more.
In both cases a second taker in the same process joins the first.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import psycopg2
import psycopg2.errors
import psycopg2.extensions

from dagster_project.lib.errors import BillingError, WarehouseBusyError

_POLL_SECONDS = 0.25
# how long the server may take to end the statement of a dead holder
_ORPHAN_SECONDS = 30
_held: dict[str, int] = {}
_checks: dict[str, Callable[[], None]] = {}


@contextmanager
def file_lock(
    path: Path,
    *,
    purpose: str,
    timeout_seconds: float,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[Callable[[], None]]:
    """Hold the lock file `path`; wait up to `timeout_seconds`, then raise WarehouseBusyError naming the holder.

    Yields a function that does nothing: the system keeps a file's lock for as long as its holder lives.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, thread_local=False)
    holder_file = path.with_suffix(path.suffix + ".holder")
    deadline = time.monotonic() + timeout_seconds
    told = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except filelock.Timeout:
            holder = _holder(holder_file)
            if not told and waiting is not None:
                waiting(f"the warehouse is held by {holder}; waiting up to {timeout_seconds:.0f} s")
                told = True
            if time.monotonic() >= deadline:
                raise WarehouseBusyError(
                    f"The warehouse is busy: {holder} holds {path.name} in {path.parent}. "
                    "Wait until it has ended, or stop that process, and run the command again."
                ) from None
            time.sleep(_POLL_SECONDS)
    try:
        holder_file.write_text(json.dumps({"pid": os.getpid(), "purpose": purpose}))
        yield lambda: None
    finally:
        holder_file.unlink(missing_ok=True)
        lock.release()


def _holder(holder_file: Path) -> str:
    try:
        holder = json.loads(holder_file.read_text())
        return f"process {holder['pid']} ({holder['purpose']})"
    except (OSError, ValueError, KeyError):
        return "another process"


@contextmanager
def advisory_lock(
    connect: Callable[[], psycopg2.extensions.connection],
    key: str,
    *,
    purpose: str,
    writers: str,
    timeout_seconds: float,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[Callable[[], None]]:
    """Hold PostgreSQL's advisory lock for `key`; wait up to `timeout_seconds`, then raise WarehouseBusyError.

    Sessions named `writers` that are there when the lock is granted belong to a dead holder and are ended. Yields a
    function that raises BillingError when the lock was lost.
    """
    connection = connect()
    try:
        deadline = time.monotonic() + timeout_seconds
        told = False
        with connection.cursor() as cursor:
            cursor.execute("select set_config('application_name', %s, false)", (f"meterhouse {purpose}"[:63],))
            while True:
                cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (key,))
                (granted,) = cursor.fetchone() or (False,)
                if granted:
                    break
                cursor.execute(
                    "select a.pid, a.application_name from pg_locks l join pg_stat_activity a on a.pid = l.pid "
                    "where l.locktype = 'advisory' and l.granted and a.datname = current_database() "
                    "and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(%s, 0)",
                    (key,),
                )
                found = cursor.fetchone()
                holder = f"server process {found[0]} ({found[1]})" if found else "another session"
                if not told and waiting is not None:
                    waiting(f"the warehouse is held by {holder}; waiting up to {timeout_seconds:.0f} s")
                    told = True
                if time.monotonic() >= deadline:
                    raise WarehouseBusyError(
                        f"The warehouse is busy: {holder} holds the lock of schema {key!r}. "
                        "Wait until it has ended, or end that session, and run the command again."
                    )
                time.sleep(_POLL_SECONDS)
            _end_orphans(cursor, writers, waiting)

        def check() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("select 1")
            except psycopg2.Error as error:
                raise BillingError(
                    f"The connection that holds the lock of schema {key!r} was lost ({str(error).strip()}), so another "
                    "close may have begun: this one stops. The ledger is as it was after the last committed close; "
                    "run the close again."
                ) from error

        yield check
    finally:
        connection.close()


def _end_orphans(cursor: psycopg2.extensions.cursor, writers: str, waiting: Callable[[str], None] | None) -> None:
    """End the statements of a dead holder, which the server goes on with until it looks for its client."""
    others = "from pg_stat_activity where datname = current_database() and application_name = %s"
    deadline = time.monotonic() + _ORPHAN_SECONDS
    told = False
    while True:
        cursor.execute(f"select pid {others} order by pid", (writers,))
        found = [pid for (pid,) in cursor.fetchall()]
        if not found:
            return
        if not told and waiting is not None:
            waiting(f"ending what a dead process left running in the server: {', '.join(map(str, found))}")
        told = True
        # another role's ends by itself
        with suppress(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(f"select pg_terminate_backend(pid) {others}", (writers,))
        if time.monotonic() >= deadline:
            raise WarehouseBusyError(
                f"The server still runs what a dead process left: server processes {', '.join(map(str, found))}. "
                "Wait until they have ended, or end them (pg_terminate_backend), and run the command again."
            )
        time.sleep(_POLL_SECONDS)


@contextmanager
def warehouse_lock(
    warehouse: "object",
    *,
    purpose: str,
    timeout_seconds: float = 0,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the one writer's lock of a warehouse; see the module."""
    key = str(warehouse)
    if _held.get(key):
        _held[key] += 1
        try:
            yield
        finally:
            _held[key] -= 1
        return
    with warehouse.lock(purpose=purpose, timeout_seconds=timeout_seconds, waiting=waiting) as check:  # type: ignore[attr-defined]
        _held[key], _checks[key] = 1, check
        try:
            yield
        finally:
            _held[key] = 0
            del _checks[key]


def require_lock(warehouse: "object") -> None:
    """Make sure that this process still holds the warehouse that it locked. Raises BillingError when it does not."""
    _checks[str(warehouse)]()
