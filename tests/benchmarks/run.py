"""`make bench`: speed and memory as ratios of CPU seconds to reference SQL on the same files in the same run.

Prints the table of docs/performance.md and writes build/bench.json: each key with its ratio (or seconds, GB, exponent),
and `raw` with our and the reference's CPU seconds. Events are made by the generator of the reference benchmarks, whose
folder METERHOUSE_BENCH names (default: ../shared/bench beside the project), into build/bench/data.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain

import closes
import invoices
import metering
import peer
import rating
import rendering
from measuring import REFERENCE, ROOT, Ratio

LARGEST_LINES = 10_000_000


def plan(sizes: list[int], runs: int) -> dict[str, Callable[[], list[Ratio]]]:
    """The benchmarks by name; the largest size up to 10 M is landed as JSON lines, all are metered."""
    lines = [size for size in sizes if size <= LARGEST_LINES] or [min(sizes)]
    most = min(100_000, max(sizes) // 10)
    return {
        "landing": lambda: metering.landing(max(lines), runs),
        "metering": lambda: list(chain.from_iterable(metering.metering(size, runs) for size in sizes)),
        "close": lambda: closes.whole(max(lines), runs),
        "growth": lambda: closes.growth(sizes, runs),
        "history": lambda: closes.history(max(min(sizes) // 10, 1000)),
        "memory": lambda: closes.memory(max(sizes)),
        "rating": lambda: rating.graduated(1_000_000, runs),
        "invoices_100k": lambda: invoices.invoices([most // 10, most], runs),
        "settlement": lambda: rating.settlement(1_000_000, runs),
        "documents": lambda: rendering.documents(runs),
        "peer": lambda: peer.pattern(1_000_000),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000,50000000", help="numbers of events, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--only", default="", help="names of benchmarks, separated by commas")
    arguments = parser.parse_args()
    if not (REFERENCE / "gen_events.py").exists():
        sys.exit(f"The reference benchmarks are not at {REFERENCE}. Name their folder with METERHOUSE_BENCH.")
    benchmarks = plan(sorted(map(int, arguments.sizes.split(","))), arguments.runs)
    only = arguments.only.split(",") if arguments.only else list(benchmarks)
    if unknown := set(only) - benchmarks.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(benchmarks)}")
    for row in _rows(benchmarks, only):
        print(f"{row.what:90s} {row.value:8.2f} {row.goal:10s} {row.ours_cpu:8.2f} s / {row.reference_cpu or 0:.2f} s")
        _record(row)


def _rows(benchmarks: dict[str, Callable[[], list[Ratio]]], only: list[str]) -> Iterator[Ratio]:
    for name in only:
        yield from benchmarks[name]()


def _record(row: Ratio) -> None:
    """Add a row to build/bench.json, so that what an interrupted run measured stays."""
    path = ROOT / "build" / "bench.json"
    results = json.loads(path.read_text()) if path.exists() else {"raw": {}}
    results[row.key] = row.value
    results["raw"][row.key] = {"ours_s": row.ours_cpu, "reference_s": row.reference_cpu}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
