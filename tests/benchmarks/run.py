"""`make bench`: CPU seconds of landing and closing, as ratios to bare DuckDB on the same events in the same run.

Events are made by the generator of the reference benchmarks, whose folder METERHOUSE_BENCH names (default:
../shared/bench beside the project). Results go to build/bench.json.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
REFERENCE = Path(os.environ.get("METERHOUSE_BENCH", ROOT.parent / "shared" / "bench"))
MONTH_END = "2026-02-01T12:00:00Z"

_BARE = """
import duckdb, sys
con = duckdb.connect()
con.execute("copy (select * from read_json(?, format='newline_delimited', columns={'transaction_id': 'varchar', "
            "'external_subscription_id': 'varchar', 'code': 'varchar', 'timestamp': 'varchar', 'properties': 'json'}, "
            "ignore_errors=true)) to '%s' (format parquet, compression zstd, compression_level 1)" % sys.argv[2],
            [sys.argv[1]])
"""


def measured(command: list[str], *, env: dict[str, str] | None = None) -> tuple[float, float]:
    """CPU seconds of a command with its children, and its wall seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def median(runs: int, measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """The medians of CPU and wall over some runs."""
    figures = [measure() for _ in range(runs)]
    return statistics.median(cpu for cpu, _ in figures), statistics.median(wall for _, wall in figures)


def main() -> None:
    """Measure and print; each size is a number of events."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000000", help="numbers of events, separated by commas")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if not (REFERENCE / "gen_events.py").exists():
        sys.exit(f"The reference benchmarks are not at {REFERENCE}. Name their folder with METERHOUSE_BENCH.")
    results: dict[str, dict[str, float]] = {}
    for size in map(int, arguments.sizes.split(",")):
        results[str(size)] = bench(size, arguments.runs)
        print(size, json.dumps(results[str(size)]))
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=1) + "\n")


def bench(size: int, runs: int) -> dict[str, float]:
    """Landing and close of `size` events of 1,000 subscriptions, and a close with nothing new."""
    data = BUILD / f"data-{size}"
    if not data.exists():
        subprocess.run(
            [sys.executable, str(REFERENCE / "gen_events.py"), str(data), "--events", str(size), "--subs", "1000"],
            check=True,
        )
    [events] = sorted(data.rglob("*.jsonl"))[:1]
    book = BUILD / f"book-{size}"
    write_book(book, events)

    def bare() -> tuple[float, float]:
        return measured([sys.executable, "-c", _BARE, str(events), str(BUILD / "bare.parquet")])

    def close(*, fresh: bool) -> tuple[float, float]:
        home = BUILD / "home"
        if fresh:
            shutil.rmtree(home, ignore_errors=True)
        command = [sys.executable, "-m", "dagster_project.cli", "close", "--book", str(book), "--as-of", MONTH_END]
        return measured([*command, "--no-documents"], env={"METERHOUSE_HOME": str(home)})

    bare_cpu, bare_wall = median(runs, bare)
    close_cpu, close_wall = median(runs, lambda: close(fresh=True))
    empty_cpu, empty_wall = median(runs, lambda: close(fresh=False))
    return {
        "bare_parquet_cpu_s": round(bare_cpu, 2),
        "bare_parquet_wall_s": round(bare_wall, 2),
        "close_cpu_s": round(close_cpu, 2),
        "close_wall_s": round(close_wall, 2),
        "empty_close_cpu_s": round(empty_cpu, 2),
        "empty_close_wall_s": round(empty_wall, 2),
        "close_less_empty_over_bare": round((close_cpu - empty_cpu) / bare_cpu, 2),
    }


def write_book(book: Path, events: Path) -> None:
    """A book that bills the generated events: every code is counted, at one price."""
    subscriptions, codes = described(events)
    shutil.rmtree(book, ignore_errors=True)
    (book / "catalog").mkdir(parents=True)
    (book / "accounts").mkdir()
    (book / "events").mkdir()
    (book / "book.yaml").write_text("id: bench\nname: Bench\ntimezone: UTC\ndefault_currency: EUR\n")
    metrics = [{"code": code, "name": code, "aggregation_type": "count_agg"} for code in codes]
    charges = [
        {"code": code, "billable_metric_code": code, "charge_model": "standard", "properties": {"amount": "0.001"}}
        for code in codes
    ]
    plan = {
        "code": "p",
        "name": "P",
        "interval": "monthly",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "charges": charges,
    }
    (book / "catalog" / "catalog.json").write_text(json.dumps({"billable_metrics": metrics, "plans": [plan]}))
    customers = [{"external_id": name, "name": name, "currency": "EUR"} for name in subscriptions]
    rows = [
        {
            "external_id": name,
            "external_customer_id": name,
            "plan_code": "p",
            "billing_time": "calendar",
            "created_at": "2025-12-01T00:00:00Z",
            "subscription_at": "2025-12-01T00:00:00Z",
        }
        for name in subscriptions
    ]
    (book / "accounts" / "accounts.json").write_text(json.dumps({"customers": customers, "subscriptions": rows}))
    (book / "events" / "events.jsonl").symlink_to(events)


def described(events: Path) -> tuple[list[str], list[str]]:
    """The subscriptions and event codes that occur in a file."""
    import duckdb

    connection = duckdb.connect()
    source = (
        "read_json(?, format='newline_delimited', ignore_errors=true, "
        "columns={'external_subscription_id': 'varchar', 'code': 'varchar'})"
    )
    names = [
        sorted(
            value
            for (value,) in connection.execute(f"select distinct {column} from {source}", [str(events)]).fetchall()
            if value
        )
        for column in ("external_subscription_id", "code")
    ]
    return names[0], names[1]


if __name__ == "__main__":
    main()
