"""Random books on both engines give what the oracle worked out.

`METERHOUSE_RATED_FEES` is how many fees a run rates at least, `METERHOUSE_RATING_SEED` which books are drawn. A wrong
book is kept as a case in build/rating; `python -m tests.rating.shrink CASE` makes it small.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dagster_project.lib.exact import UnsettledError
from dagster_project.lib.verify import CaseResult
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse
from tests.rating.books import KINDS, Kind, books, fees_count, with_expectation
from tests.rating.oracle import event_code
from tests.rating.runs import verified, write_cases, wrongs

FEES = int(os.environ.get("METERHOUSE_RATED_FEES", "2000"))
SEED = int(os.environ.get("METERHOUSE_RATING_SEED", "1"))
KEPT = Path(__file__).resolve().parents[2] / "build" / "rating"
KINDS_OF_VALUES = tuple(kind for kind in KINDS if kind.aggregation not in {"count_agg", "unique_count_agg"})


def drawn_books() -> list[dict]:
    """Books until they hold enough fees."""
    found, fees = [], 0
    for case in books(SEED):
        found.append(case)
        fees += fees_count([case])
        if fees >= FEES:
            return found
    raise AssertionError("books never end")


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, CaseResult]:
    """The drawn books and the giants, verified in one run: the result of each by its name."""
    folder = tmp_path_factory.mktemp(request.param)
    write_cases([*drawn_books(), *map(giant, KINDS_OF_VALUES)], folder / "books")
    warehouse: Warehouse = (
        DuckDBWarehouse(folder / "warehouse.duckdb")
        if request.param == "duckdb"
        else PostgresWarehouse(request.getfixturevalue("postgres_url"), "rating")
    )
    return {result.path.stem: result for result in verified(folder / "books", warehouse, folder / "home")}


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_random_books_are_rated_as_the_oracle_rates_them(results: Mapping[str, CaseResult]) -> None:
    """Beside giants, whose totals must stop no other customer."""
    cases = {case["case"]: case for case in drawn_books()}
    wrong = {name: wrongs(results[name])[:3] for name in cases if not results[name].passed}
    write_cases((cases[name] for name in wrong), KEPT)
    shown = {f"build/rating/{name}.json": differences for name, differences in wrong.items()}
    assert shown == {}, f"{len(wrong)} of {len(cases)} books"


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_totals_beyond_the_sizes_of_quantities_are_exact_or_held(results: Mapping[str, CaseResult]) -> None:
    """Each event is as large as a quantity may be; their sums are not bounded: billed exactly, or held alone."""
    giants = {name: result for name, result in results.items() if not name.startswith("book_")}
    assert len(giants) == len(KINDS_OF_VALUES)
    assert [result.problem for result in giants.values() if "not read" in (result.problem or "")] == []
    wrong = {name: wrongs(row)[:3] for name, row in giants.items() if not row.passed and row.problem is None}
    assert wrong == {}


def giant(kind: Kind) -> dict:
    """A book of one kind of charge, all of whose values are as large as they may be."""
    for case in books(SEED, (kind,)):
        given = case["given"]
        for metric in given["billable_metrics"]:
            metric.pop("expression", None)
            for event in given["events"]:
                if event["code"] == event_code(metric):
                    event["properties"][metric["field_name"]] = "9" * 15 if kind.prorated else f"{'9' * 15}.{'9' * 12}"
        try:
            made = with_expectation({**case, "case": "_".join(map(str, dataclasses.astuple(kind)))})
        except UnsettledError:
            continue
        # a figure beyond the sizes of money cannot be written: such a customer can only be held
        invoices, usage = made["expect"]["invoices"], made["expect"]["usage"]
        amounts = [*(row["fees_amount_cents"] for row in invoices), *(row["amount_cents"] for row in usage)]
        return made if max(map(abs, amounts), default=0) < 10**15 else {**made, "expect": {}}
    raise AssertionError("books never end")


def test_every_kind_of_charge_is_drawn() -> None:
    drawn: Counter[tuple] = Counter(kinds_of(drawn_books()))
    assert {(k.aggregation, k.model, k.recurring, k.prorated, k.in_advance) for k in KINDS} == drawn.keys()


def kinds_of(cases: list[dict]) -> Iterator[tuple]:
    for case in cases:
        metrics = {metric["code"]: metric for metric in case["given"]["billable_metrics"]}
        for plan in case["given"]["plans"]:
            for charge in plan["charges"]:
                metric = metrics[charge["billable_metric_code"]]
                yield (
                    metric["aggregation_type"],
                    charge["charge_model"],
                    metric["recurring"],
                    charge["prorated"],
                    charge["pay_in_advance"],
                )
