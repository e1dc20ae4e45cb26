"""Whole closes: their cost over landing and metering, with nothing to do, as history grows, and within a memory limit."""

import math
import shutil
import sys
from pathlib import Path

from book import add_events, write_book
from data import Events, events_of
from measuring import BUILD, Measured, Ratio, command, less, medians, ratio, size_name, task
from metering import AS_OF, SQL, THREADS

MEMORY_LIMIT = "2GB"
# of closes that are told apart by little
RUNS_AT_LEAST = 3


def close_book(book: Path, home: Path, *, as_of: str = AS_OF, fresh: bool = True, memory: str = "") -> Measured:
    """One close by the command, without documents; `fresh`: into a new warehouse, with what dbt parsed before."""
    if fresh:
        _clear(home)
    return command(
        [sys.executable, "-m", "dagster_project.cli", "close", "--book", str(book), "--as-of", as_of, "--no-documents"],
        env={
            "METERHOUSE_HOME": str(home),
            "METERHOUSE_WAREHOUSE": str(home / "warehouse.duckdb"),
            "METERHOUSE_MEMORY_LIMIT": memory,
        },
    )


def _clear(home: Path) -> None:
    for path in home.glob("*"):
        if path.name != "dbt":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def kept(home: Path, name: str) -> Path:
    """A copy of a home as it is now, without what dbt parsed."""
    copy = BUILD / f"{home.name}-{name}"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("dbt"))
    return copy


def put_back(copy: Path, home: Path) -> None:
    """Make a home what it was when it was copied."""
    _clear(home)
    shutil.copytree(copy, home, dirs_exist_ok=True)


def book_of(data: Events, name: str) -> Path:
    return write_book(BUILD / f"book-{name}", data.sources, subscriptions=data.subscriptions, first_month="2026-01")


def _parsed(data: Events, *homes: Path) -> None:
    """Let dbt parse its project once: a first close pays for that, a service does not."""
    book = write_book(BUILD / "book-empty", [], subscriptions=data.subscriptions, first_month="2026-01")
    for home in homes:
        close_book(book, home)


def whole(events: int, runs: int) -> list[Ratio]:
    """A close of JSON lines, less an empty close, ÷ (bare landing + reference metering); and the empty close itself."""
    data = events_of(events)
    name = size_name(events)
    book = book_of(data, name)
    home = BUILD / f"home-close-{name}"
    _parsed(data, home)
    taken = medians(
        runs,
        bare=lambda: task("bare_parquet", data=str(data.path), out=str(BUILD / "bare.parquet"), threads=THREADS),
        reference=lambda: task("reference_parquet", data=str(data.path), sql=SQL, threads=THREADS),
        close=lambda: close_book(book, home),
        empty=lambda: close_book(book, home, fresh=False),
    )
    return [
        ratio(
            "close_10m",
            f"close of {name} events, less an empty one ÷ (bare landing + reference metering)",
            less(taken["close"].cpu, taken["empty"].cpu),
            taken["bare"].cpu + taken["reference"].cpu,
            goal="≤ 2.5",
        ),
        Ratio(
            "empty_close_s",
            "an empty close, second run, CPU",
            round(taken["empty"].cpu, 1),
            taken["empty"].cpu,
            goal="≤ 15 s",
        ),
    ]


def growth(sizes: list[int], runs: int) -> list[Ratio]:
    """The growth exponent of a close from the smallest to the largest size, both less an empty close."""
    small, large = min(sizes), max(sizes)
    books = {size: book_of(events_of(size), size_name(size)) for size in (small, large)}
    homes = {size: BUILD / f"home-close-{size_name(size)}" for size in books}
    _parsed(events_of(small), *homes.values())
    taken = medians(
        runs,
        small=lambda: close_book(books[small], homes[small]),
        large=lambda: close_book(books[large], homes[large]),
        empty=lambda: close_book(books[small], homes[small], fresh=False),
    )
    costs = [less(taken[name].cpu, taken["empty"].cpu) for name in ("small", "large")]
    exponent = math.log(costs[1] / costs[0]) / math.log(large / small)
    return [
        Ratio(
            "growth_exponent",
            f"growth exponent of a close from {size_name(small)} to {size_name(large)}",
            round(exponent, 2),
            round(costs[1], 2),
            round(costs[0], 2),
            "≤ 1.05",
        )
    ]


def memory(events: int) -> list[Ratio]:
    """The resident peak of a close, landing included, with a memory limit of 2 GB."""
    name = size_name(events)
    peak = close_book(book_of(events_of(events), name), BUILD / f"home-memory-{name}", memory=MEMORY_LIMIT).peak
    return [
        Ratio(
            "peak_memory_gb_50m",
            f"peak memory of landing and closing {name} at 2 GB",
            round(peak, 2),
            0,
            goal="≤ 2.5 GB",
        )
    ]


def history(events_a_month: int, runs: int, *, each_month: bool, months: int = 24) -> list[Ratio]:
    """Closing the last of `months` months ÷ closing the first one, landing included: medians of at least three closes of each.

    Each of these begins with the home as the close before left it, and both are closed in turn. Between the two months each
    month is closed once, or all in one close.
    """
    data = events_of(events_a_month * months, months=months, first_month="2024-01")
    folders = sorted((data.path / "jsonl").iterdir())
    name = f"{size_name(events_a_month)}-history"
    first, last = (
        write_book(BUILD / f"book-{name}-{part}", [], subscriptions=data.subscriptions, first_month="2024-01")
        for part in ("first", "last")
    )
    add_events(first, sorted(folders[0].iterdir()))
    home = BUILD / f"home-{name}"

    def closed(book: Path, number: int) -> Measured:
        as_of = f"{2024 + number // 12}-{number % 12 + 1:02d}-01T12:00:00Z"
        return close_book(book, home, as_of=as_of, fresh=False)

    def again(copy: Path, book: Path, number: int) -> Measured:
        put_back(copy, home)
        return closed(book, number)

    # the parsing of dbt's project belongs to no month
    close_book(last, home, as_of="2024-01-01T12:00:00Z")
    before_first = kept(home, "before-first")
    for number, folder in enumerate(folders, 1):
        add_events(last, sorted(folder.iterdir()))
        if number < months and (each_month or number in (1, months - 1)):
            closed(last, number)
    before_last = kept(home, "before-last")
    taken = medians(
        max(runs, RUNS_AT_LEAST),
        last=lambda: again(before_last, last, months),
        first=lambda: again(before_first, first, 1),
    )
    return [
        ratio(
            "close_month_24_over_1",
            f"closing month {months} ÷ closing month 1, {size_name(events_a_month)} events a month",
            taken["last"].cpu,
            taken["first"].cpu,
            goal="≤ 1.2",
        )
    ]
