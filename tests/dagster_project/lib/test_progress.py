"""What a running step tells: how much is done, how fast it goes and when it will end, by a clock that is set by hand."""

import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from dagster_project.command._options import ConsoleProgress
from dagster_project.lib.book import EventSource
from dagster_project.lib.landing.events_readers import FILE_WEIGHT, Origin, Reading
from dagster_project.lib.progress import Pace


@dataclass
class Clock:
    """Seconds, as `time.monotonic` tells them."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_a_step_tells_a_line_every_two_seconds(clock: Clock) -> None:
    pace = Pace()
    pace.start()
    # half a minute of preparation, and the first five
    clock.now += 30
    assert pace.line(5, 100, "invoices") is None
    clock.now += 3
    # 15 in 3 s; 80 more at 5 a second
    assert pace.line(20, 100, "invoices") == "20 of 100 invoices, 5.0 a second, about 16 s left"
    clock.now += 1
    assert pace.line(21, 100, "invoices") is None


def test_other_work_within_a_step_begins_anew(clock: Clock) -> None:
    pace = Pace()
    assert pace.line(0, 40, "tables") is None
    clock.now += 50
    assert pace.line(0, 12, "documents") is None
    clock.now += 4
    assert pace.line(8, 12, "documents") == "8 of 12 documents, 2.0 a second, about 2 s left"
    # the same work once more
    assert pace.line(1, 12, "documents") is None


def test_progress_is_shown_while_dbt_writes_nowhere(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = ConsoleProgress()
    progress.started("rate")
    with redirect_stdout(StringIO()):
        progress.advanced(1, 121, "models and tests")
        clock.now += 10
        progress.advanced(21, 121, "models and tests")
    assert capsys.readouterr().out == "rate …\n  21 of 121 models and tests, 2.0 a second, about 50 s left\n"


def test_landing_tells_lines_rate_and_time_left_over_all_files(clock: Clock) -> None:
    notes: list[str] = []
    source = EventSource("file", format="parquet")
    small, large = (Origin(source, name, "parquet", Path(name), file_id=number) for number, name in enumerate("ab"))
    # one part of eight, and seven
    large.size, large.rows_count = 6 * FILE_WEIGHT, 4000
    reading = Reading(notes.append, files_count=2, weight=8 * FILE_WEIGHT)
    reading.count(small, 10)
    clock.now += 5
    assert notes == []
    reading.landed_count = 1
    # half of its rows: five parts in 5 s
    reading.count(large, 2000)
    assert notes == ["1 of 2 files landed, 2,010 lines read, 402 a second, about 3 s left"]
