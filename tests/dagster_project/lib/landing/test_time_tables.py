"""The time tables against minute-by-minute walks through zoneinfo."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.landing.time_tables import (
    land_time_tables,
    local_days,
    offset_stretches,
)
from dagster_project.lib.warehouse import Session, Warehouse

MINUTE = timedelta(minutes=1)
# zone, years: midnight gaps and repeats, half-hour changes, a date that never was
ADVERSARIAL = [
    ("America/Sao_Paulo", 2017, 2019),
    ("Africa/Cairo", 2010, 2010),
    ("Africa/Cairo", 2014, 2014),
    ("Asia/Tehran", 2021, 2022),
    ("Pacific/Apia", 2011, 2012),
    ("Australia/Lord_Howe", 2023, 2023),
    ("America/Asuncion", 2024, 2025),
    ("Asia/Gaza", 2010, 2011),
    ("America/St_Johns", 2010, 2011),
    ("America/Havana", 2024, 2024),
    ("Africa/Casablanca", 2023, 2023),
    ("Antarctica/Troll", 2022, 2022),
    ("Europe/London", 2024, 2024),
    ("UTC", 2024, 2024),
]


def tzdata_zone(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def walk(zone: str, first_year: int, last_year: int) -> Iterator[tuple[datetime, datetime]]:
    """Every quarter of an hour, and every minute around a change: UTC and local, both naive."""
    info = tzdata_zone(zone)
    instant = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=1)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC) + timedelta(days=1)
    step = 15 * MINUTE
    while instant < end:
        same = instant.astimezone(info).utcoffset() == (instant + step).astimezone(info).utcoffset()
        for minute in range(1 if same else 15):
            at = instant + minute * MINUTE
            yield at.replace(tzinfo=None), at.astimezone(info).replace(tzinfo=None)
        instant += step


@pytest.mark.parametrize(("zone", "first", "last"), ADVERSARIAL)
def test_offsets_and_days_agree_with_a_walk_through_time(zone, first, last):
    stretches = offset_stretches(zone, first_year=first, last_year=last)
    days = local_days(stretches, first_year=first, last_year=last)
    by_date = {day.local_date: day for day in days}
    earliest: dict[date, datetime] = {}
    current = iter(stretches)
    stretch = next(current)
    for instant, local in walk(zone, first, last):
        while instant >= stretch.valid_to_at:
            stretch = next(current)
        assert stretch.valid_from_at <= instant
        assert timedelta(seconds=stretch.utc_offset_seconds) == local - instant
        earliest.setdefault(local.date(), instant)
    inside = {day: at for day, at in earliest.items() if first <= day.year <= last}
    assert {day: row.started_at for day, row in by_date.items()} == inside
    assert [row.ended_at for row in days[:-1]] == [row.started_at for row in days[1:]]


def test_stretches_are_contiguous_and_the_last_is_open():
    stretches = offset_stretches("Europe/Paris", first_year=2024, last_year=2024)
    assert [(f"{s.valid_from_at:%Y-%m-%d %H}", s.utc_offset_seconds) for s in stretches] == [
        ("2023-12-30 00", 3600),
        ("2024-03-31 01", 7200),
        ("2024-10-27 01", 3600),
    ]
    assert [s.valid_to_at for s in stretches[:-1]] == [s.valid_from_at for s in stretches[1:]]
    assert stretches[-1].valid_to_at.year == 9999


@pytest.mark.parametrize(
    ("zone", "day", "started_at", "ended_at"),
    [
        # clocks go from 00:00 to 01:00: the day begins at 01:00 local, 03:00 UTC
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04 03:00", "2018-11-05 02:00"),
        # clocks go from 24:00 back to 23:00: the day before has 25 hours
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17 02:00", "2018-02-18 03:00"),
        # midnight comes twice: the first one counts
        ("America/Havana", "2024-11-03", "2024-11-03 04:00", "2024-11-04 05:00"),
        # the day before the one that Samoa left out
        ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00"),
        ("Europe/Paris", "2024-03-31", "2024-03-30 23:00", "2024-03-31 22:00"),
    ],
)
def test_the_edges_of_known_days(zone, day, started_at, ended_at):
    year = int(day[:4])
    days = local_days(offset_stretches(zone, first_year=year, last_year=year), first_year=year, last_year=year)
    (row,) = [row for row in days if row.local_date == date.fromisoformat(day)]
    assert (f"{row.started_at:%Y-%m-%d %H:%M}", f"{row.ended_at:%Y-%m-%d %H:%M}") == (
        started_at,
        ended_at,
    )


def test_a_date_that_never_was_has_no_row():
    stretches = offset_stretches("Pacific/Apia", first_year=2011, last_year=2011)
    days = local_days(stretches, first_year=2011, last_year=2011)
    assert len(days) == 364
    assert date(2011, 12, 30) not in {day.local_date for day in days}


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    warehouse.create_raw_tables()
    with warehouse.connect() as session:
        yield session


def contents(session):
    raw = session.schema("raw")
    return [session.rows(f"select * from {raw}.{table} order by 1, 2") for table in ("timezone_offsets", "local_days")]


def test_landing_adds_what_is_missing_and_nothing_else(session):
    zones = ["Europe/Paris", "America/Sao_Paulo"]
    assert land_time_tables(session, zones, first_year=2023, last_year=2024) == 2
    before = contents(session)
    assert len(before[1]) == 2 * (365 + 366)

    assert land_time_tables(session, zones[:1], first_year=2024, last_year=2024) == 0
    assert contents(session) == before

    assert land_time_tables(session, [*zones, "UTC"], first_year=2023, last_year=2024) == 1
    assert land_time_tables(session, ["Europe/Paris"], first_year=2026, last_year=2026) == 1
    raw = session.schema("raw")
    assert session.rows(
        f"select timezone, count(*), min(local_date), max(local_date) from {raw}.local_days "
        "group by timezone order by timezone"
    ) == [
        ("America/Sao_Paulo", 731, date(2023, 1, 1), date(2024, 12, 31)),
        ("Europe/Paris", 1461, date(2023, 1, 1), date(2026, 12, 31)),
        ("UTC", 731, date(2023, 1, 1), date(2024, 12, 31)),
    ]
    assert session.rows(
        f"select count(*) from {raw}.timezone_offsets where timezone = 'Europe/Paris' "
        "and valid_to_at = timestamp '9999-12-31 00:00:00'"
    ) == [(1,)]


def test_both_tables_grow_to_what_they_would_have_been_at_once(session):
    land_time_tables(session, ["Asia/Gaza"], first_year=2010, last_year=2010)
    land_time_tables(session, ["Asia/Gaza"], first_year=2012, last_year=2012)
    grown = contents(session)
    stretches = offset_stretches("Asia/Gaza", first_year=2010, last_year=2012)
    assert grown[0] == [("Asia/Gaza", *stretch) for stretch in stretches]
    days = local_days(stretches, first_year=2010, last_year=2012)
    assert grown[1] == [("Asia/Gaza", *day) for day in days]


def test_an_unknown_zone_lands_nothing(session):
    with pytest.raises(InputError, match="Mars/Olympus"):
        land_time_tables(session, ["UTC", "Mars/Olympus"], first_year=2024, last_year=2024)
    assert contents(session) == [[], []]
