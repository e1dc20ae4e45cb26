"""CPU seconds, wall seconds and peak memory of commands and of tasks, in processes of their own."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
REFERENCE = Path(os.environ.get("METERHOUSE_BENCH", ROOT.parent / "shared" / "bench"))


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took: CPU seconds of all its threads and processes, wall seconds, resident peak in GB."""

    cpu: float
    wall: float
    peak: float


def command(arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end; the CPU is that of the whole process and of those that it started."""
    return _run(arguments, env=env)[0]


def task(name: str, **values: str | int) -> Measured:
    """Run a task of tasks.py; the CPU is that of its work alone, without the start of Python."""
    arguments = [sys.executable, str(Path(__file__).with_name("tasks.py")), name, json.dumps(values)]
    whole, output = _run(arguments)
    work = json.loads(output.splitlines()[-1])
    return Measured(work["cpu"], work["wall"], whole.peak)


def _run(arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> tuple[Measured, str]:
    began = time.perf_counter()
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{output}")
    wall = time.perf_counter() - began
    return Measured(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1e6), output


def medians(runs: int, **measures: Callable[[], Measured]) -> dict[str, Measured]:
    """The medians of several measures that run in turn, so that a noisy minute hits all of them alike."""
    figures: dict[str, list[Measured]] = {name: [] for name in measures}
    for _ in range(runs):
        for name, measure in measures.items():
            figures[name].append(measure())
    return {
        name: Measured(
            statistics.median(run.cpu for run in taken),
            statistics.median(run.wall for run in taken),
            max(run.peak for run in taken),
        )
        for name, taken in figures.items()
    }


@dataclass(frozen=True, slots=True)
class Ratio:
    """One row of the table: ours, the reference, and what they give."""

    key: str
    what: str
    value: float
    ours_cpu: float
    reference_cpu: float | None = None
    goal: str = ""


def ratio(key: str, what: str, ours: float, reference: float, *, goal: str) -> Ratio:
    """Ours over the reference."""
    return Ratio(key, what, round(ours / reference, 2), round(ours, 2), round(reference, 2), goal)


def less(whole: float, part: float) -> float:
    """The cost of a close beyond that of an empty one; never nothing, which a small one may seem to be."""
    return max(whole - part, 0.01)


def size_name(events: int) -> str:
    """10m for 10,000,000."""
    return f"{events // 1_000_000}m" if events >= 1_000_000 else f"{events // 1000}k"
