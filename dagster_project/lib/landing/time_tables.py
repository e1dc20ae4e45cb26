"""The two time tables of the schema `raw`, made from the locked `tzdata` package only.

`timezone_offsets` turns an instant into a local time: one row per zone and stretch of one UTC
offset, [valid_from_at, valid_to_at). A zone's first row begins two days before its first year, its
last row is open (9999-12-31). `local_days` has the edges of periods: one row per zone and local
date, [started_at, ended_at).

- A day starts at its earliest instant: where midnight is skipped, at the change; where it is
  repeated, the first time.
- Days are contiguous: `ended_at` is the start of the next date that exists. A date that a zone
  never had
  (Pacific/Apia 2011-12-30) has no row.
- Where a clock goes back over midnight after the date has begun, the repeated time belongs, in
  `local_days`, to the date
  that had begun.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dagster_project.lib.errors import InputError
from dagster_project.lib.warehouse import Session

_OPEN = datetime(9999, 12, 31)  # noqa: DTZ001 (raw times are naive UTC)
_MARGIN = timedelta(days=2)
_STEP = timedelta(hours=6)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class OffsetStretch(NamedTuple):
    """A time in which a zone has one UTC offset; naive UTC, half-open."""

    valid_from_at: datetime
    valid_to_at: datetime
    utc_offset_seconds: int


class LocalDay(NamedTuple):
    """A local date with its first instant and the first instant of the next date, naive UTC."""

    local_date: date
    started_at: datetime
    ended_at: datetime


def land_time_tables(session: Session, zones: Collection[str], *, first_year: int, last_year: int) -> int:
    """Make both tables cover these zones and years; returns how many zones were written.

    A zone that is covered already is left alone. Another one is written anew for all years from the
    earliest to the latest that it ever had, so that its years are contiguous. Years are local
    calendar years. Works inside of the caller's transaction.

    Raises InputError for a zone that tzdata does not have.
    """
    raw = session.schema("raw")
    covered = {
        zone: (first.year, last.year)
        for zone, first, last in session.rows(
            f"select timezone, min(local_date), max(local_date) from {raw}.local_days group by timezone"
        )
    }
    stretches: list[tuple[str, datetime, datetime, int]] = []
    days: list[tuple[str, date, datetime, datetime]] = []
    with session.transaction():
        written = 0
        for zone in sorted(set(zones)):
            first, last = covered.get(zone, (first_year, last_year))
            first, last = min(first, first_year), max(last, last_year)
            if covered.get(zone) == (first, last):
                continue
            written += 1
            found = offset_stretches(zone, first_year=first, last_year=last)
            stretches += [(zone, *stretch) for stretch in found]
            days += [(zone, *day) for day in local_days(found, first_year=first, last_year=last)]
            if zone in covered:
                session.execute(f"delete from {raw}.timezone_offsets where timezone = ?", [zone])
                session.execute(f"delete from {raw}.local_days where timezone = ?", [zone])
        columns = ("timezone", *OffsetStretch._fields)
        session.insert(f"{raw}.timezone_offsets", columns, stretches)
        session.insert(f"{raw}.local_days", ("timezone", *LocalDay._fields), days)
    return written


def offset_stretches(zone: str, *, first_year: int, last_year: int) -> list[OffsetStretch]:
    """The stretches of one UTC offset of a zone, from two days before the first year on.

    The first begins there, the last is open. Raises InputError for a zone that tzdata does not
    have.
    """
    info = _zone(zone)
    start = datetime(first_year, 1, 1) - _MARGIN  # noqa: DTZ001
    end = datetime(last_year + 1, 1, 1) + _MARGIN  # noqa: DTZ001
    changes = [start, *_changes(info, start, end)]
    return [
        OffsetStretch(begun, ended, int(_offset(info, begun).total_seconds()))
        for begun, ended in zip(changes, [*changes[1:], _OPEN], strict=True)
    ]


def local_days(stretches: list[OffsetStretch], *, first_year: int, last_year: int) -> list[LocalDay]:
    """The local dates of these years that exist, each until the next one begins."""
    starts: dict[date, datetime] = {}
    last = date(last_year + 1, 1, 2)
    for stretch in stretches:
        offset = timedelta(seconds=stretch.utc_offset_seconds)
        local = stretch.valid_from_at + offset
        instant = stretch.valid_from_at
        while instant < stretch.valid_to_at and local.date() <= last:
            starts.setdefault(local.date(), instant)
            local = datetime.combine(local.date() + _DAY, datetime.min.time())
            instant = local - offset
    ordered = sorted(starts.items())
    return [
        LocalDay(day, begun, ended)
        for (day, begun), (_, ended) in pairwise(ordered)
        if first_year <= day.year <= last_year
    ]


def _changes(info: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants at which the offset changes, to the second; they are over six hours apart."""
    before, known = start, _offset(info, start)
    while before < end:
        after = before + _STEP
        offset = _offset(info, after)
        if offset != known:
            low, high = before, after
            while high - low > _SECOND:
                middle = low + (high - low) // _SECOND // 2 * _SECOND
                if _offset(info, middle) == known:
                    low = middle
                else:
                    high = middle
            yield high
        before, known = after, offset


def _offset(info: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.replace(tzinfo=UTC).astimezone(info).utcoffset()
    assert offset is not None
    return offset


def _zone(name: str) -> ZoneInfo:
    """The zone from the tzdata package, whatever zones the machine has."""
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    if name not in names:
        raise InputError(f'The timezone "{name}" is not in the tz database; give a name such as "Europe/Paris".')
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
