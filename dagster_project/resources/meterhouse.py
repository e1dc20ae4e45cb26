"""The warehouse and the steps of a close, under the one writer's lock for the length of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from dagster_project.lib.close import CloseRequest, CloseRun
from dagster_project.lib.progress import Pace, SilentProgress, Steps
from dagster_project.lib.warehouse import Warehouse, open_warehouse, warehouse_lock
from dagster_project.settings import load_settings

_WAIT_SECONDS = 600


class LogProgress:
    """Progress as lines in Dagster's log."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        """Write to a run's log."""
        self._log = log
        self._pace = Pace()

    def started(self, step: str) -> None:
        """See Progress."""
        self._pace.start()
        self._log.info(f"{step} …")

    def note(self, text: str) -> None:
        """See Progress."""
        self._log.info(text)

    def advanced(self, done: int, total: int, unit: str) -> None:
        """See Progress."""
        line = self._pace.line(done, total, unit)
        if line is not None:
            self._log.info(line)

    def finished(self, step: str, seconds: float) -> None:
        """See Progress."""
        self._log.info(f"{step} done in {seconds:.1f} s")


class MeterhouseResource(dg.ConfigurableResource["MeterhouseResource"]):
    """Where the warehouse, the book and the documents are; empty values mean the METERHOUSE_* variables."""

    warehouse: str = ""
    book: str = ""
    documents: str = ""
    wait_seconds: float = _WAIT_SECONDS
    _steps: Steps = PrivateAttr(default_factory=lambda: Steps(SilentProgress()))

    @property
    def steps(self) -> Steps:
        """The steps of the run so far, and their times."""
        return self._steps

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["MeterhouseResource"]:
        """Hold the warehouse for the run: a second run waits, then fails naming the holder."""
        log = context.log
        with warehouse_lock(
            self.opened(),
            purpose=f"Dagster run {context.run.run_id if context.run else ''}".strip(),
            timeout_seconds=self.wait_seconds,
            waiting=log.info if log is not None else None,
        ):
            self._steps = Steps(LogProgress(log) if log is not None else SilentProgress())
            yield self

    def opened(self) -> Warehouse:
        """The warehouse."""
        settings = load_settings()
        return open_warehouse(self.warehouse or settings.warehouse, settings.memory_limit)

    def close_run(
        self,
        log: dg.DagsterLogManager,
        *,
        as_of: datetime | None = None,
        known_at: str | None = None,
        override_reason: str | None = None,
    ) -> CloseRun:
        """The steps of a close over this warehouse."""
        settings = load_settings()
        now = datetime.now(UTC)
        request = CloseRequest(
            warehouse=self.opened(),
            home=settings.home,
            as_of=as_of or now,
            now=now,
            book=Path(self.book) if self.book else settings.book,
            known_at=known_at,
            out_dir=Path(self.documents) if self.documents else settings.documents,
            documents_dir=settings.documents,
            endpoints=settings.endpoints,
            override_reason=override_reason,
        )
        return CloseRun(request, LogProgress(log))
