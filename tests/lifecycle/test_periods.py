"""Periods against dates and zoneinfo alone: ten years of random anchors and zones, without gap or overlap."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.warehouse import Warehouse
from tests.lifecycle.random_lineages import INTERVALS, ZONES, as_book, close_scope, instant, land

FIRST = datetime(2014, 6, 1, tzinfo=UTC)
LAST = datetime(2024, 6, 1, tzinfo=UTC)
SUBSCRIPTIONS = 150
DAY = timedelta(days=1)
LAST_DAYS = [datetime(2015, 1, day, 12, tzinfo=UTC) for day in (29, 30, 31)] + [datetime(2016, 2, 29, 12, tzinfo=UTC)]
MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}


def is_start(day: date, interval: str, anchor: date) -> bool:
    """Whether a period of an anchor begins on a day (docs/billing-rules.md, Time)."""
    if interval == "weekly":
        return day.weekday() == anchor.weekday()
    last = ((day.replace(day=28) + 4 * DAY).replace(day=1) - DAY).day
    return day.day == min(anchor.day, last) and (day.month - anchor.month) % MONTHS[interval] == 0


def first_instant(day: date, zone: str) -> datetime:
    """When a local day begins: at midnight, or where that is skipped, at the change."""
    info = ZoneInfo(zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=info).astimezone(UTC)
    while moment.astimezone(info).date() < day:
        moment += timedelta(minutes=30)
    return moment


@pytest.mark.slow
def test_periods_tile_ten_years(warehouse: Warehouse, tmp_path: Path) -> None:
    rng = random.Random(20240229)
    books = []
    expected: dict[str, tuple[str, str, date]] = {}
    for number in range(SUBSCRIPTIONS):
        zone, interval = rng.choice(ZONES), rng.choice(INTERVALS)
        created = FIRST + timedelta(seconds=rng.randrange(400 * 86400))
        if rng.random() < 0.3:
            created = rng.choice(LAST_DAYS)
        calendar = rng.random() < 0.3
        local = created.astimezone(ZoneInfo(zone)).date()
        organization = f"o{number}"
        expected[organization] = (zone, interval, date(2024, 1, 1) if calendar else local)
        given = {
            "organization": {"timezone": "UTC", "default_currency": "EUR"},
            "plans": [{"code": "p", "interval": interval, "amount_cents": 100, "amount_currency": "EUR"}],
            "customers": [{"external_id": "cust", "currency": "EUR", "timezone": zone}],
            "subscriptions": [
                {
                    "external_id": "sub",
                    "external_customer_id": "cust",
                    "plan_code": "p",
                    "billing_time": "calendar" if calendar else "anniversary",
                    "created_at": instant(created),
                    "subscription_at": instant(created),
                }
            ],
        }
        books.append(as_book(tmp_path, organization, given, LAST))
    land(warehouse, books, LAST.year)
    close_scope(warehouse, {organization: LAST for organization in expected})
    DbtRuns(warehouse, tmp_path / "dbt" / warehouse.kind).run(("+int_billing_moments",))
    periods = defaultdict(list)
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("intermediate")
        for organization, *row in session.rows(
            "select organization_id, full_from_date, from_date, to_date, full_days_count, days_count, billing_date, "
            "billing_at, usage_from_at, usage_to_at, row_started_at "
            f"from {schema}.int_billing_moments order by organization_id, billing_at"
        ):
            periods[organization].append(row)
    assert set(periods) == set(expected)
    for organization, rows in periods.items():
        zone, interval, anchor = expected[organization]
        started_at = rows[0][-1].replace(tzinfo=UTC)
        day = started_at.astimezone(ZoneInfo(zone)).date()
        usage_from = started_at
        for (
            full_from,
            from_day,
            to_day,
            full_days,
            days,
            billing_day,
            billing_at,
            usage_from_at,
            usage_to_at,
            _,
        ) in rows:
            begin = day
            while not is_start(begin, interval, anchor):
                begin -= DAY
            end = day + DAY
            while not is_start(end, interval, anchor):
                end += DAY
            assert (full_from, from_day, to_day, billing_day) == (begin, day, end - DAY, end), organization
            assert (full_days, days) == ((end - begin).days, (end - day).days), organization
            assert billing_at.replace(tzinfo=UTC) == first_instant(end, zone), organization
            assert usage_from_at.replace(tzinfo=UTC) == usage_from, organization
            assert usage_to_at.replace(tzinfo=UTC) == first_instant(end, zone), organization
            day, usage_from = end, first_instant(end, zone)
        assert usage_from > LAST
