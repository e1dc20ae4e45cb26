"""Random books on both engines give what the oracle worked out.

`METERHOUSE_RATED_FEES` is how many fees a run rates at least, `METERHOUSE_RATING_SEED` which books are drawn. A wrong
book is kept as a case in build/rating; `python -m tests.rating.shrink CASE` makes it small.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import Warehouse
from tests.rating.books import KINDS, books, fees_count
from tests.rating.runs import write_cases, wrong_cases

FEES = int(os.environ.get("METERHOUSE_RATED_FEES", "2000"))
SEED = int(os.environ.get("METERHOUSE_RATING_SEED", "1"))
KEPT = Path(__file__).resolve().parents[2] / "build" / "rating"


def drawn_books() -> list[dict]:
    """Books until they hold enough fees."""
    found, fees = [], 0
    for case in books(SEED):
        found.append(case)
        fees += fees_count([case])
        if fees >= FEES:
            return found
    raise AssertionError("books never end")


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_random_books_are_rated_as_the_oracle_rates_them(warehouse: Warehouse, tmp_path: Path) -> None:
    cases = drawn_books()
    write_cases(cases, tmp_path / "books")
    wrong = wrong_cases(tmp_path / "books", warehouse, tmp_path / "home")
    write_cases((case for case in cases if case["case"] in wrong), KEPT)
    shown = {f"build/rating/{name}.json": differences[:3] for name, differences in wrong.items()}
    assert shown == {}, f"{len(wrong)} of {len(cases)} books, on {warehouse.kind}"


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
