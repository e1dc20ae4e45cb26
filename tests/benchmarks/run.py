"""`make bench`: speed and memory as ratios of CPU seconds to reference SQL on the same files in the same run.

Prints the table of docs/performance.md and writes build/bench.json: the keys of KEYS with their ratios (seconds, GB, an
exponent), and `raw` with what was measured for each of them and for the other rows: our and the reference's CPU seconds.
With smaller `--sizes` the keys stay and stand for the sizes that were asked for (`raw` says what each one is). A part that
fails is told at the end and loses no figure of another. Events are made by the generator of the reference benchmarks, whose
folder METERHOUSE_BENCH names (default: ../shared/bench beside the project), into build/bench/data.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterable
from itertools import chain

import closes
import invoices
import metering
import peer
import rating
import rendering
from measuring import REFERENCE, ROOT, Ratio, size_name

KEYS = (
    "landing",
    "metering_10m",
    "metering_50m",
    "close_10m",
    "growth_exponent",
    "close_month_24_over_1",
    "peak_memory_gb_50m",
    "empty_close_s",
    "peer_pattern_over_close_pg",
    "documents_per_core",
)
LARGEST_LINES = 10_000_000
WHOLE = 1_000_000
_RESULTS = ROOT / "build" / "bench.json"


def plan(sizes: list[int], runs: int) -> dict[str, Callable[[], Iterable[Ratio]]]:
    """The benchmarks by name; the largest size up to 10 M is landed as JSON lines, all are metered."""
    largest = max(sizes)
    lines = max([size for size in sizes if size <= LARGEST_LINES] or [min(sizes)])
    keys = {size: {f"metering_{size_name(size)}"} - set(KEYS) for size in sizes}
    keys[lines].add("metering_10m")
    keys[largest].add("metering_50m")
    rows = min(WHOLE, largest)
    most = min(100_000, largest // 10)
    small = largest < WHOLE
    return {
        "landing": lambda: metering.landing(lines, runs),
        "metering": lambda: list(
            chain.from_iterable(metering.metering(size, runs, sorted(keys[size])) for size in sizes)
        ),
        "close": lambda: closes.whole(lines, runs),
        "growth": lambda: closes.growth(sizes if len(sizes) > 1 else [largest // 10, largest], runs),
        "history": lambda: closes.history(max(min(sizes) // 10, 1000), runs, each_month=not small),
        "memory": lambda: closes.memory(largest),
        "rating": lambda: rating.graduated(WHOLE, runs),
        "invoices_100k": lambda: invoices.invoices([most // 10, most], runs),
        "settlement": lambda: rating.settlement(WHOLE, runs),
        "documents": lambda: rendering.documents(runs, invoices=20 if small else 200),
        "peer": lambda: list(
            chain.from_iterable(peer.pattern(rows, count, runs) for count in ((1000,) if small else (1000, 5000)))
        ),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000,50000000", help="numbers of events, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument(
        "--only", default="", help="names of benchmarks, separated by commas; others keep their figures"
    )
    arguments = parser.parse_args()
    if not (REFERENCE / "gen_events.py").exists():
        sys.exit(f"The reference benchmarks are not at {REFERENCE}. Name their folder with METERHOUSE_BENCH.")
    benchmarks = plan(sorted(set(map(int, arguments.sizes.split(",")))), arguments.runs)
    only = arguments.only.split(",") if arguments.only else list(benchmarks)
    if unknown := set(only) - benchmarks.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(benchmarks)}")
    if not arguments.only:
        _RESULTS.unlink(missing_ok=True)
    failed = [name for name in only if not _measured(benchmarks[name])]
    if failed:
        sys.exit(
            f"These failed, for the reasons above: {', '.join(failed)}. The figures of the others are in {_RESULTS}."
        )


def _measured(benchmark: Callable[[], Iterable[Ratio]]) -> bool:
    """Whether a benchmark came to its end; its rows are printed and recorded."""
    try:
        rows = list(benchmark())
    except Exception:
        traceback.print_exc()
        return False
    for row in rows:
        print(
            f"{row.what:100s} {row.value:8.2f} {row.goal:10s} {row.ours_cpu:8.2f} s / {row.reference_cpu or 0:.2f} s",
            flush=True,
        )
        _record(row)
    return True


def _record(row: Ratio) -> None:
    """Add a row to build/bench.json, so that what an interrupted run measured stays."""
    results = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {"raw": {}}
    if row.key in KEYS:
        results[row.key] = row.value
    results["raw"][row.key] = {
        "what": row.what,
        "value": row.value,
        "ours_s": row.ours_cpu,
        "reference_s": row.reference_cpu,
    }
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
