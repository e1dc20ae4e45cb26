"""Make a wrong book small: `python -m tests.rating.shrink CASE [--about TEXT] [--warehouse URL]`.

With TEXT, such as the code of a charge, only differences that name it count. Takes away subscriptions, charges,
filters, terms and events for as long as the case stays wrong, many candidates in one verify run, and writes the
smallest one beside the case as CASE.small.json.
"""

import argparse
import copy
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dagster_project.lib.exact import UnsettledError
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse
from tests.rating.books import with_expectation
from tests.rating.runs import write_cases, wrong_cases

Row = dict[str, Any]
_AT_ONCE = 60


def shrunk(case: Row, is_wrong: Callable[[list[Row]], list[bool]]) -> Row:
    """The smallest case that is still wrong; candidates are judged many at once."""
    while True:
        smaller = list(_candidates(case))
        for start in range(0, len(smaller), _AT_ONCE):
            batch = smaller[start : start + _AT_ONCE]
            verdicts = is_wrong(batch)
            if any(verdicts):
                case = batch[verdicts.index(True)]
                print(f"{len(case['given']['events'])} events, {charges_count(case)} charges", file=sys.stderr)
                break
        else:
            return case


def charges_count(case: Row) -> int:
    return sum(len(plan["charges"]) for plan in case["given"]["plans"])


def _candidates(case: Row) -> Iterator[Row]:
    """Cases with one thing less, those that lose most first; what the rules leave open is passed over."""
    for change in _changes(case["given"]):
        smaller = copy.deepcopy(case)
        change(smaller["given"])
        _without_orphans(smaller["given"])
        if smaller["given"] == case["given"]:
            continue
        try:
            yield with_expectation(smaller)
        except UnsettledError:
            continue


def _changes(given: Row) -> Iterator[Callable[[Row], None]]:
    whole = [(p, c) for p, plan in enumerate(given["plans"]) for c in range(len(plan["charges"]))]
    for p, c in whole if len(whole) > 1 else ():
        yield lambda g, p=p, c=c: _keep_only(g, p, c)
    for table in ("subscriptions", "events"):
        count, rows = len(given[table]), len(given[table])
        while count > 1 or (count == 1 and table == "events"):
            size = max(1, count // 2)
            for start in range(0, rows, size):
                if size < rows or table == "events":
                    yield lambda g, t=table, a=start, b=start + size: g[t].__delitem__(slice(a, b))
            count = size if size > 1 else 0
    for p, plan in enumerate(given["plans"]):
        for c, charge in enumerate(plan["charges"]):
            if len(plan["charges"]) > 1:
                yield lambda g, p=p, c=c: g["plans"][p]["charges"].pop(c)
            for f in range(len(charge["filters"])):
                yield lambda g, p=p, c=c, f=f: g["plans"][p]["charges"][c]["filters"].pop(f)
            for key in ("min_amount_cents", "applied_pricing_unit"):
                yield lambda g, p=p, c=c, k=key: g["plans"][p]["charges"][c].pop(k, None)
            places = [(), *((f,) for f in range(len(charge["filters"])))]
            for place in places:
                yield lambda g, p=p, c=c, at=place: _bucket(g, p, c, at).pop("pricing_group_keys", None)
                properties = _bucket(given, p, c, place)
                for key in sorted(properties.keys() - {"amount", "rate", "package_size", "free_units"}):
                    if isinstance(properties[key], str | int):
                        yield lambda g, p=p, c=c, at=place, k=key: _bucket(g, p, c, at).pop(k)
                for key, ranges in properties.items():
                    if key.endswith("_ranges") and len(ranges) > 1:
                        yield lambda g, p=p, c=c, at=place, k=key: _drop_last_range(_bucket(g, p, c, at)[k])
    for m in range(len(given["billable_metrics"])):
        yield lambda g, m=m: g["billable_metrics"][m].update(rounding_function=None, rounding_precision=None)
        yield lambda g, m=m: g["billable_metrics"][m].pop("event_code", None)
    for s in range(len(given["subscriptions"])):
        yield lambda g, s=s: g["subscriptions"][s].update(terminated_at=None)
    yield lambda g: g["organization"].update(timezone="UTC")
    for e, event in enumerate(given["events"]):
        if event["received_at"]:
            yield lambda g, e=e: g["events"][e].update(received_at=None)
        for key in event["properties"]:
            yield lambda g, e=e, k=key: g["events"][e]["properties"].pop(k)


def _keep_only(given: Row, plan: int, charge: int) -> None:
    given["plans"][plan]["charges"] = [given["plans"][plan]["charges"][charge]]
    code = given["plans"][plan]["code"]
    given["subscriptions"] = [row for row in given["subscriptions"] if row["plan_code"] == code]


def _bucket(given: Row, plan: int, charge: int, place: tuple[int, ...]) -> Row:
    found = given["plans"][plan]["charges"][charge]
    return found["filters"][place[0]]["properties"] if place else found["properties"]


def _drop_last_range(ranges: list[Row]) -> None:
    ranges.pop()
    ranges[-1]["to_value"] = None


def _without_orphans(given: Row) -> None:
    """Take out what belongs to a subscription or a charge that is gone."""
    subscriptions = given["subscriptions"]
    customers, plans = ({row[key] for row in subscriptions} for key in ("external_customer_id", "plan_code"))
    ids = {row["external_id"] for row in subscriptions}
    given["customers"] = [row for row in given["customers"] if row["external_id"] in customers]
    given["plans"] = [row for row in given["plans"] if row["code"] in plans]
    charges = [charge for plan in given["plans"] for charge in plan["charges"]]
    metrics = {charge["billable_metric_code"] for charge in charges}
    units = {charge["applied_pricing_unit"]["code"] for charge in charges if charge.get("applied_pricing_unit")}
    given["billable_metrics"] = [row for row in given["billable_metrics"] if row["code"] in metrics]
    given["pricing_units"] = [row for row in given["pricing_units"] if row["code"] in units]
    codes = {metric.get("event_code") or metric["code"] for metric in given["billable_metrics"]}
    given["events"] = [
        event for event in given["events"] if event["code"] in codes and event["external_subscription_id"] in ids
    ]


def judge(warehouse: Warehouse, folder: Path, about: str) -> Callable[[list[Row]], list[bool]]:
    """Says of cases which are wrong; a case that is refused at reading does not count."""

    def is_wrong(cases: list[Row]) -> list[bool]:
        with tempfile.TemporaryDirectory(dir=folder) as run:
            named = [{**case, "case": f"candidate_{index}"} for index, case in enumerate(cases)]
            write_cases(named, Path(run) / "books")
            wrong = wrong_cases(Path(run) / "books", warehouse, folder / "home")
        return [any(": expected " in line and about in line for line in wrong.get(case["case"], ())) for case in named]

    return is_wrong


def main() -> None:
    """Shrink the case of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=Path)
    parser.add_argument("--about", default="")
    parser.add_argument("--warehouse")
    asked = parser.parse_args()
    case = json.loads(asked.case.read_text())
    with tempfile.TemporaryDirectory() as folder:
        warehouse: Warehouse = DuckDBWarehouse(Path(folder) / "unused.duckdb")
        if asked.warehouse:
            warehouse = PostgresWarehouse(asked.warehouse, "shrink")
        small = shrunk(case, judge(warehouse, Path(folder), asked.about))
    target = asked.case.with_suffix(".small.json")
    write_cases([{**small, "case": target.stem}], target.parent)
    print(target)


if __name__ == "__main__":
    main()
