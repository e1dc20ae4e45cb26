"""How long work tells what it does: the command shows it with rich, Dagster logs it, tests keep it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class Progress(Protocol):
    """What the steps of a close call while they work."""

    def started(self, step: str) -> None:
        """A step begins."""

    def note(self, text: str) -> None:
        """Something worth a line happened in the running step."""

    def advanced(self, done: int, total: int, unit: str) -> None:
        """So much of the running step is done."""

    def finished(self, step: str, seconds: float) -> None:
        """A step has ended."""


class SilentProgress:
    """Tells nothing."""

    def started(self, step: str) -> None:
        """See Progress."""

    def note(self, text: str) -> None:
        """See Progress."""

    def advanced(self, done: int, total: int, unit: str) -> None:
        """See Progress."""

    def finished(self, step: str, seconds: float) -> None:
        """See Progress."""


@dataclass(slots=True)
class Pace:
    """How far the running step is, how fast it goes and when it will end, in one line; not more than one a while."""

    every_seconds: float = 2.0
    _unit: str = ""
    _first: int = 0
    _last: int = 0
    _began: float = 0.0
    _told: float = 0.0

    def start(self) -> None:
        """A step begins."""
        self._unit = ""

    def line(self, done: int, total: int, unit: str) -> str | None:
        """The line to show, or None while the last one is fresh, or what is counted has only begun."""
        now = time.monotonic()
        if unit != self._unit or done < self._last:
            # other work of the step, or another run of it: what came before it says nothing of its pace
            self._unit, self._first, self._began, self._told = unit, done, now, now
        self._last = done
        if now - self._told < self.every_seconds:
            return None
        self._told = now
        rate = (done - self._first) / (now - self._began)
        left = f", about {(total - done) / rate:,.0f} s left" if rate and total > done else ""
        return f"{done:,} of {total:,} {unit}, {rate:,.1f} a second{left}"


@dataclass(frozen=True, slots=True)
class StepTime:
    """How long a step took: wall seconds, CPU seconds with those of its workers, and how much it worked on if known."""

    step: str
    started_at: datetime
    wall_seconds: float
    cpu_seconds: float
    rows_count: int | None = None


@dataclass(slots=True)
class Steps:
    """Runs named steps, reports them and keeps their times.

    `expected` are the wall seconds that each took the last time; `before` is called before each step and may stop it.
    """

    progress: Progress
    expected: Mapping[str, float] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    times: list[StepTime] = field(default_factory=list)
    _rows: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; its times are kept when it succeeds."""
        if self.before is not None and self.times:
            self.before()
        self.progress.started(name)
        if self.expected.get(name, 0) >= 1:
            self.progress.note(f"took {self.expected[name]:.0f} s the last time")
        started_at, began, began_cpu = datetime.now(UTC), time.perf_counter(), _cpu_seconds()
        yield
        seconds = time.perf_counter() - began
        self.times.append(StepTime(name, started_at, seconds, _cpu_seconds() - began_cpu, self._rows.pop(name, None)))
        self.progress.finished(name, seconds)

    def count(self, step: str, rows: int) -> None:
        """Say, while a step runs, how much it worked on."""
        self._rows[step] = rows

    @property
    def seconds(self) -> dict[str, float]:
        """Wall seconds by step, in order."""
        return {time_.step: time_.wall_seconds for time_ in self.times}


def _cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended, those of the pool that makes documents too."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
