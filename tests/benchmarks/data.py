"""The events of the benchmarks, made once by the reference's generator into build/bench/data."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from measuring import BUILD, REFERENCE, size_name

# larger sizes are landed from Parquet: their JSON lines would be 10 GB
LINES_AT_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Events:
    """A folder of the generator."""

    path: Path
    subscriptions: int

    @property
    def lines(self) -> list[Path]:
        """The files of JSON lines in the order of arrival."""
        return sorted(self.path.glob("jsonl/*/*"))

    @property
    def sources(self) -> list[Path]:
        """What is landed: the lines, or Parquet where there are none."""
        return self.lines or sorted(self.path.glob("raw.parquet/*.parquet"))


def events_of(events: int, *, subscriptions: int = 1000, months: int = 1, first_month: str = "2026-01") -> Events:
    """The folder with so many events, generated when it is missing."""
    name = (
        size_name(events)
        + (f"-{months}mo" if months > 1 else "")
        + (f"-{subscriptions}s" if subscriptions != 1000 else "")
    )
    path = BUILD / "data" / name
    if not (path / "manifest.json").exists():
        large = events // months > LINES_AT_MOST
        subprocess.run(
            [
                sys.executable, str(REFERENCE / "gen_events.py"), str(path),
                "--events", str(events), "--subs", str(subscriptions), "--months", str(months),
                "--first-month", first_month, "--no-jsonl" if large else "--no-raw",
            ],
            check=True,
        )  # fmt: skip
    return Events(path, subscriptions)
