"""Days and periods in local time: docs/billing-rules.md, Time and Usage."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_TIME = re.compile(r"(.{10})[Tt ](.{8})(?:\.(\d+))?(Z|z|[+-]\d\d:\d\d)")
_MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}
TICK = timedelta(microseconds=1)


def instant(text: str) -> datetime:
    """An RFC 3339 time (UTC); its fraction is cut to microseconds. Raises ValueError for any other text."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text}")
    day, clock, fraction, offset = match.groups()
    return datetime.fromisoformat(
        f"{day}T{clock}.{(fraction or '')[:6]:0<6}{offset.upper().replace('Z', '+00:00')}"
    ).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def elapsed(start: datetime, stop: datetime) -> timedelta:
    """Real time between two instants."""
    return stop.astimezone(UTC) - start.astimezone(UTC)


def local_date(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def days_between(start: datetime, stop: datetime, zone: ZoneInfo) -> int:
    """Elapsed local time in days, rounded up; an end at local midnight counts its day (docs/billing-rules.md, Usage)."""
    first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (start, stop))
    if last.time() == time():
        last += timedelta(seconds=1)
    return -((first - last) // timedelta(days=1))


def first_of_month(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def month_day(month: date, day: int) -> date:
    """That day of the month, or its last one."""
    return month.replace(day=min(day, (first_of_month(month, 1) - timedelta(days=1)).day))


def full_period(day: date, interval: str, anchor: date | None) -> tuple[date, date]:
    """First and last day of the period that holds the day; without an anchor by the calendar (docs/billing-rules.md, Time)."""
    if interval == "weekly":
        start = day - timedelta(days=(day.weekday() - (anchor.weekday() if anchor else 0)) % 7)
        return start, start + timedelta(days=6)
    step, of_month = _MONTHS[interval], anchor.day if anchor else 1
    month = first_of_month(day, -((day.month - (anchor.month if anchor else 1)) % step))
    if month_day(month, of_month) > day:
        month = first_of_month(month, -step)
    return month_day(month, of_month), month_day(first_of_month(month, step), of_month) - timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A usage period: `start` and `stop` are inclusive instants; `days` of its `full_days` are billed."""

    start: datetime
    stop: datetime
    zone: ZoneInfo
    full_days: int
    days: int
    first_day: date
    last_day: date
    is_upgraded: bool = field(default=False, kw_only=True)
    zones: Sequence[tuple[datetime, ZoneInfo]] = field(default=(), kw_only=True)
    """The time zones that the customer ever had, each with its first instant, in their order; none: always `zone`."""

    def day_of(self, at: datetime) -> date:
        """The day of an instant, by the time zone of that time (docs/billing-rules.md, Time)."""
        return local_date(at, next((zone for since, zone in reversed(self.zones) if since <= at), self.zone))

    @property
    def last_weighed_day(self) -> date:
        """The last day of proration: that of an upgrade belongs to the new subscription row (docs/billing-rules.md, Life cycle)."""
        return self.last_day - timedelta(days=1) if self.is_upgraded else self.last_day

    @property
    def begin(self) -> datetime:
        """`start` cut to milliseconds: what timestamps are compared with."""
        return self.start.replace(microsecond=self.start.microsecond // 1000 * 1000)

    def holds(self, at: datetime) -> bool:
        """Whether an event of that instant lies in the period."""
        return self.begin <= at <= self.stop
