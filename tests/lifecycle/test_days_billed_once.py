"""Random subscriptions over three years: each plan fee, and how often each day is paid for, against a walk by days."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.lifecycle.day_by_day import DAY, Walk
from tests.lifecycle.random_lineages import as_book, closer, land, random_book

FIRST = datetime(2022, 1, 10, tzinfo=UTC)
LAST = datetime(2025, 1, 20, 13, tzinfo=UTC)
BOOKS = 200


@pytest.mark.slow
def test_each_day_is_billed_once_or_as_documented(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    given = {f"o{seed}": random_book(seed, FIRST, LAST, rich=False) for seed in range(BOOKS)}
    land(warehouse, [as_book(tmp_path, name, book, LAST) for name, book in given.items()], LAST.year)
    closer(warehouse, tmp_path)({name: LAST for name in given})
    fees = defaultdict(list)
    days = defaultdict(Counter)
    with warehouse.connect(read_only=True) as session:
        ledger, intermediate = session.schema("ledger"), session.schema("intermediate")
        for name, billing_day, code, last, amount in session.rows(
            "select fees.organization_id, moments.billing_date, fees.fee_code, fees.to_date, fees.amount_cents "
            f"from {ledger}.ledger_fees as fees inner join {ledger}.ledger_moments as moments "
            "on fees.moment_id = moments.moment_id where fees.fee_type = 'subscription'"
        ):
            fees[name].append((billing_day, code, last, int(amount)))
        for name, first, count in session.rows(
            f"select organization_id, from_date, days_count from {ledger}.ledger_moments where has_plan_fee"
        ):
            days[name].update(first + number * DAY for number in range(count))
        for name, last, count in session.rows(
            "select unused.organization_id, credited.to_date, unused.unused_days_count "
            f"from {intermediate}.int_unused_advance_fees as unused inner join {ledger}.ledger_moments as credited "
            "on unused.credited_moment_id = credited.moment_id"
        ):
            days[name].subtract(last - number * DAY for number in range(count))
    assert sum(len(lines) for lines in fees.values()) > 10 * BOOKS
    for name, book in given.items():
        walk = Walk(book, LAST).run()
        assert sorted(fees[name]) == sorted(walk.fees), name
        billed = {day: count for day, count in days[name].items() if count}
        assert billed == {day: count for day, count in walk.billed_days.items() if count}, name
        assert_once(walk, billed, name)


def assert_once(walk: Walk, billed: dict, name: str) -> None:
    """Once for each day of a row that was billed, with the documented exceptions."""
    for first, last, row in walk.spans:
        others = [span for span in walk.spans if span[2] is not row]
        trial = walk.local(row.trial_end) if row.trial_end is not None and row.trial_end > row.start else first
        end = last if last is not None else walk.local(walk.as_of)
        day = max(first, trial)
        while day <= end:
            shared = any(other[0] <= day and (other[1] is None or day <= other[1]) for other in others)
            begin, close = walk.period(row, day)
            # a start in the past is not caught up; what runs in arrears is billed with its period
            unbilled = row.is_past and close < walk.local(row.created) + 400 * DAY
            running = last is None and not row.ahead and close >= walk.local(walk.as_of)
            if not shared and not unbilled and not running and not (last is not None and trial > first):
                assert billed.get(day, 0) == 1, (name, day, begin)
            day += DAY
