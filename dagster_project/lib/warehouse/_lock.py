"""One writer at a time: the lock that every entry point (command, UI, schedule) takes before it touches a warehouse.

DuckDB: an exclusive lock on a file beside the warehouse, which the system releases when its holder dies.
PostgreSQL: a session-level advisory lock, held on a connection of its own for as long as the work lasts.
In both cases a second taker in the same process joins the first.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import psycopg2
import psycopg2.extensions

from dagster_project.lib.errors import WarehouseBusyError

_POLL_SECONDS = 0.25
_held: dict[str, int] = {}


@contextmanager
def file_lock(
    path: Path,
    *,
    purpose: str,
    timeout_seconds: float,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file `path`; wait up to `timeout_seconds`, then raise WarehouseBusyError naming the holder."""
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
        yield
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
    timeout_seconds: float,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock for `key`; wait up to `timeout_seconds`, then raise WarehouseBusyError."""
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
        yield
    finally:
        connection.close()


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
    with warehouse.lock(purpose=purpose, timeout_seconds=timeout_seconds, waiting=waiting):  # type: ignore[attr-defined]
        _held[key] = 1
        try:
            yield
        finally:
            _held[key] = 0
