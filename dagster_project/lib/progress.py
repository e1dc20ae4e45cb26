"""How long work tells what it does: the command shows it with rich, Dagster logs it, tests keep it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol


class Progress(Protocol):
    """What the steps of a close call while they work."""

    def started(self, step: str) -> None:
        """A step begins."""

    def note(self, text: str) -> None:
        """Something worth a line happened in the running step."""

    def finished(self, step: str, seconds: float) -> None:
        """A step has ended."""


class SilentProgress:
    """Tells nothing."""

    def started(self, step: str) -> None:
        """See Progress."""

    def note(self, text: str) -> None:
        """See Progress."""

    def finished(self, step: str, seconds: float) -> None:
        """See Progress."""


@dataclass(slots=True)
class Steps:
    """Runs named steps, reports them and keeps their wall time in seconds."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step; its time is kept when it succeeds."""
        self.progress.started(name)
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began
        self.progress.finished(name, self.seconds[name])
