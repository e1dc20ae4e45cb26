"""Plan fees by walking through time, day by day: dates and zoneinfo only, none of the models' formulas."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.lifecycle.test_periods import DAY, first_instant, is_start

YEARLY = {"weekly": 52, "monthly": 12, "quarterly": 4, "semiannual": 2, "yearly": 1}


def read(text: str) -> datetime:
    return datetime.fromisoformat(text)


@cache
def period_of(day: date, interval: str, anchor: date) -> tuple[date, date]:
    """First and last day of the period that holds a day."""
    begin, end = day, day + DAY
    while not is_start(begin, interval, anchor):
        begin -= DAY
    while not is_start(end, interval, anchor):
        end += DAY
    return begin, end - DAY


@dataclass
class Row:
    """A subscription row as it runs."""

    plan: Mapping[str, Any]
    created: datetime
    anchor: date
    ending: date | None
    start: datetime
    is_past: bool = False
    is_running: bool = False
    trial_end: datetime | None = None

    @property
    def ahead(self) -> bool:
        return bool(self.plan["pay_in_advance"])

    @property
    def yearly(self) -> int:
        return int(self.plan["amount_cents"]) * YEARLY[self.plan["interval"]]


@dataclass
class Walk:
    """One subscription id: what runs, what waits, what was billed and what was given back."""

    given: Mapping[str, Any]
    as_of: datetime
    fees: list[tuple[date, str, date, int]] = field(default_factory=list)
    """Day of billing, plan, last day covered, amount."""
    billed_days: dict[date, int] = field(default_factory=dict)
    """How often each day was billed, less what was given back."""
    spans: list[list[Any]] = field(default_factory=list)
    """First and last day of each row that ran, and the row."""
    active: Row | None = None
    waiting: Row | None = None
    first_start: datetime | None = None
    last_end: datetime | None = None

    def __post_init__(self) -> None:
        self.zone = self.given["customers"][0]["timezone"]
        self.plans = {plan["code"]: plan for plan in self.given["plans"]}
        self.heap: list[tuple[datetime, int, int, str, Any]] = []
        self.paid: tuple[date, date, Row] | None = None

    def local(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def push(self, moment: datetime, rank: int, kind: str, what: Any) -> None:
        if moment <= self.as_of:
            heapq.heappush(self.heap, (moment, rank, len(self.heap), kind, what))

    def run(self) -> "Walk":
        rows = sorted(self.given["subscriptions"], key=lambda row: row["created_at"])
        self.keys: dict[int, Row] = {}
        day = self.local(read(rows[0]["created_at"])) - 2 * DAY
        while first_instant(day, self.zone) <= self.as_of:
            self.push(first_instant(day, self.zone), 0, "day", day)
            day += DAY
        for number, row in enumerate(rows):
            self.push(read(row["created_at"]), 3, "asked", (number, row))
            if row.get("terminated_at"):
                self.push(read(row["terminated_at"]), 2, "terminated", number)
        while self.heap:
            moment, _, _, kind, what = heapq.heappop(self.heap)
            getattr(self, kind)(moment, what)
        return self

    def period(self, row: Row, day: date) -> tuple[date, date]:
        return period_of(day, row.plan["interval"], row.anchor)

    def day(self, moment: datetime, day: date) -> None:
        row = self.active
        if row is not None and row.is_running and row.ending == day:
            self.end(moment, "end_date")
            return
        if row is not None and not row.is_running and self.local(row.start) == day:
            self.begin(row, moment, is_new=True)
            return
        self.bill(moment, day)

    def bill(self, moment: datetime, day: date) -> None:
        row = self.active
        if row is None or not row.is_running or self.local(row.start) >= day:
            return
        if not is_start(day, row.plan["interval"], row.anchor):
            return
        if self.waiting is not None and self.waiting.ending is not None and self.waiting.ending <= day:
            self.waiting = None
        if self.waiting is not None:
            self.end(moment, "downgrade")
        elif row.ahead:
            if not self.in_trial(row, moment, day):
                self.fee(day, row, day, self.period(row, day)[1])
        else:
            self.arrears(moment, day, row, day - DAY)

    def in_trial(self, row: Row, moment: datetime, day: date) -> bool:
        return row.trial_end is not None and row.trial_end > moment and self.local(row.trial_end) != day

    def arrears(self, moment: datetime, billed: date, row: Row, last: date, *, upgraded: bool = False) -> None:
        begin, _ = self.period(row, last)
        first, shown = max(begin, self.local(row.start)), last
        if row.trial_end is not None and row.trial_end > row.start:
            ended = billed == last
            if row.trial_end > moment and (ended or self.local(row.trial_end) != billed):
                return
            if self.local(row.trial_end) > last:
                self.fee(billed, row, last + DAY, last)
                return
            if self.local(row.trial_end) >= first:
                first = self.local(row.trial_end)
                # elapsed time counts: a trial that ends later in the day than the row leaves one day less
                if ended and max(self.time(moment), timedelta(seconds=1)) <= self.time(row.trial_end):
                    last -= DAY
        self.fee(billed, row, first, last - DAY if upgraded else last, shown=shown)

    def time(self, moment: datetime) -> timedelta:
        local = moment.astimezone(ZoneInfo(self.zone))
        return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)

    def fee(self, billed: date, row: Row, first: date, last: date, shown: date | None = None) -> None:
        begin, end = self.period(row, min(first, shown or last))
        days = max((last - first).days + 1, 0)
        exact = Fraction(row.plan["amount_cents"] * days, (end - begin).days + 1)
        self.fees.append((billed, row.plan["code"], shown or last, int(exact + Fraction(1, 2))))
        for number in range(days):
            self.billed_days[first + number * DAY] = self.billed_days.get(first + number * DAY, 0) + 1
        if row.ahead:
            self.paid = (first, last, row)

    def begin(self, row: Row, moment: datetime, *, is_new: bool) -> None:
        row.is_running, row.start = True, (moment if not is_new else row.start)
        self.first_start = min(self.first_start or row.start, row.start)
        self.spans.append([self.local(row.start), None, row])
        trial = timedelta(days=row.plan["trial_period"])
        row.trial_end = self.first_start + trial if trial else None
        if not row.ahead:
            return
        if row.trial_end is not None and row.trial_end > row.start:
            if row.trial_end >= row.created:
                self.push(row.trial_end, 1, "trial_ended", row)
        elif not row.is_past:
            day = self.local(row.start)
            self.fee(day, row, day, self.period(row, day)[1])

    def trial_ended(self, moment: datetime, row: Row) -> None:
        day = self.local(moment)
        if row is self.active and not (is_start(day, row.plan["interval"], row.anchor) and day > self.local(row.start)):
            self.fee(day, row, day, self.period(row, day)[1])

    def end(self, moment: datetime, why: str) -> None:
        row, day = self.active, self.local(moment)
        assert row is not None
        is_whole = why == "downgrade" or (
            why == "end_date" and is_start(day, row.plan["interval"], row.anchor) and day > self.local(row.start)
        )
        last = day - DAY if is_whole else day
        self.spans[-1][1] = last
        if not row.ahead:
            self.arrears(moment, day, row, last, upgraded=why == "upgrade")
        elif (
            why != "downgrade" and self.paid is not None and self.paid[2] is row and self.paid[0] <= day <= self.paid[1]
        ):
            unused = day if why == "upgrade" else day + DAY
            if row.trial_end is not None and self.local(row.trial_end) >= day:
                unused = self.local(row.trial_end)
            while unused <= self.paid[1]:
                self.billed_days[unused] -= 1
                unused += DAY
        self.active, self.last_end = None, moment
        if why == "downgrade":
            self.active, self.waiting = self.waiting, None
            assert self.active is not None
            self.begin(self.active, moment, is_new=False)
        self.waiting = None

    def terminated(self, moment: datetime, number: int) -> None:
        row = self.keys.get(number)
        if row is None:
            return
        if row is self.waiting:
            self.waiting = None
        elif row is self.active and row.is_running:
            self.end(moment, "termination")
        elif row is self.active:
            self.active = None

    def asked(self, moment: datetime, what: tuple[int, Mapping[str, Any]]) -> None:
        number, written = what
        plan = self.plans[written["plan_code"]]
        begins = read(written["subscription_at"])
        ending = self.local(read(written["ending_at"])) if written.get("ending_at") else None
        if ending is not None and ending <= self.local(begins):
            ending = None
        anchor = self.local(begins) if written["billing_time"] == "anniversary" else date(2024, 1, 1)
        row = Row(plan, moment, anchor, ending, begins)
        current = self.active
        if current is None:
            self.keys[number] = row
            self.active = row
            if self.local(begins) > self.local(moment):
                return
            row.is_past = self.local(begins) < self.local(moment)
            row.start = max(begins, self.last_end or begins)
            self.begin(row, row.start, is_new=True)
            if row.is_past:
                self.bill(moment, self.local(moment))
            return
        if current.plan["code"] == plan["code"]:
            return
        row.anchor, row.ending = current.anchor, ending or current.ending
        if not current.is_running:
            row.start = current.start
            self.active = row
        elif row.yearly >= current.yearly:
            self.end(moment, "upgrade")
            self.active = row
            self.begin(row, moment, is_new=False)
        else:
            self.waiting = row
        self.keys[number] = row
