"""What a case must be charged for usage, worked out from semantics/rating.md alone, with exact fractions.

Event by event and bucket by bucket, in plain loops: nothing here knows how the warehouse does it. Covered are
subscriptions of one row (no plan changes) in any timezone, calendar or anniversary, ended or not, with every
aggregation and charge model but the custom ones. Where the rules leave something open, `UnsettledError` is raised.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from tests.rating.oracle_expressions import FailedExpressionError, evaluate
from tests.rating.oracle_numbers import ROUNDINGS, UnsettledError, as_text, half_away, numeric, up
from tests.rating.oracle_prices import Quantity, amount, event_amounts, number

ALL_FILTER_VALUES = "__ALL_FILTER_VALUES__"
EXPONENTS = {"EUR": 2, "USD": 2, "JPY": 0, "BHD": 3}
_TIME = re.compile(r"(.{10})[Tt ](.{8})(?:\.(\d+))?(Z|z|[+-]\d\d:\d\d)")
_TICK = timedelta(microseconds=1)
_MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}

Json = Mapping[str, Any]
Group = tuple[tuple[str, str | None], ...]


# ---- what comes out -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fee:
    """A line of an invoice, or of running usage; what the rules call meaningless or open is None."""

    kind: str
    code: str
    filter: Mapping[str, Any] | None
    group: Mapping[str, str | None] | None
    amount_cents: int
    units: Fraction | None = None
    events_count: int | None = None
    precise_cents: Fraction | None = None
    from_date: date | None = None
    to_date: date | None = None


@dataclass(frozen=True)
class Invoice:
    """An invoice of one subscription."""

    subscription: str
    customer: str
    at: datetime
    issuing_date: date
    fees: Sequence[Fee]


@dataclass
class Outcome:
    """The invoices in order of creation, fees that stand alone, and the usage of open periods by subscription."""

    invoices: list[Invoice] = field(default_factory=list)
    alone: list[Fee] = field(default_factory=list)
    usage: list[tuple[str, Fee]] = field(default_factory=list)


# ---- time -----------------------------------------------------------------------------------------------------------


def instant(text: str) -> datetime:
    """An RFC 3339 time; its fraction is cut to microseconds."""
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
    """Elapsed local time in days, rounded up; an end at local midnight counts its day (rating.md 4.1)."""
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
    """First and last day of the period that holds the day; without an anchor by the calendar (lifecycle.md 1.1)."""
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
    """A usage period: `start` and `stop` are inclusive instants, `full_days` is D of rating.md."""

    start: datetime
    stop: datetime
    zone: ZoneInfo
    full_days: int
    billed_at: datetime
    ends_subscription: bool = False
    is_open: bool = False

    @property
    def first_day(self) -> date:
        return local_date(self.start, self.zone)

    @property
    def last_day(self) -> date:
        return local_date(self.stop, self.zone)

    @property
    def days(self) -> int:
        return days_between(self.start, self.stop, self.zone)

    @property
    def begin(self) -> datetime:
        """`start` cut to milliseconds: what timestamps are compared with."""
        return self.start.replace(microsecond=self.start.microsecond // 1000 * 1000)

    def holds(self, at: datetime) -> bool:
        return self.begin <= at <= self.stop

    def knows(self, known_at: datetime) -> bool:
        """Whether what became known then counts: before a renewal, up to a termination or the moment of looking."""
        return known_at <= self.billed_at if self.ends_subscription or self.is_open else known_at < self.billed_at


# ---- the case -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A usage event; `rank` orders events by time, arrival and id."""

    subscription: str
    code: str
    at: datetime
    known_at: datetime
    id: str
    properties: Json
    precise_cents: Fraction

    @cached_property
    def rank(self) -> tuple[Any, ...]:
        pieces = re.split(r"([0-9]+)", self.id)
        natural = tuple((int(p) if i % 2 else 0, p) for i, p in enumerate(pieces))
        return self.at, self.known_at, natural


@dataclass(frozen=True)
class Reading:
    """An event as a metric sees it."""

    event: Event
    value: Fraction
    item: str | None = None
    adds: bool = True


@dataclass(frozen=True)
class Bucket:
    """A filter of a charge, or its default bucket (`values` None); `index` is the filter's age."""

    index: int
    values: Mapping[str, Any] | None
    allowed: Mapping[str, frozenset[str]]
    properties: Json

    def matches(self, event: Event) -> bool:
        return all(as_text(event.properties.get(key)) in allowed for key, allowed in self.allowed.items())

    def group_of(self, event: Event) -> Group:
        keys = self.properties.get("pricing_group_keys") or ()
        return tuple((key, as_text(event.properties.get(key)) or None) for key in keys)

    @property
    def null_group(self) -> Group:
        return tuple((key, None) for key in self.properties.get("pricing_group_keys") or ())


def bucket_list(charge: Json, metric: Json) -> list[Bucket]:
    """The filters of a charge, oldest first, and its default bucket."""
    listed = {item["key"]: frozenset(item["values"]) for item in metric.get("filters") or ()}
    found = []
    for index, item in enumerate(charge.get("filters") or ()):
        allowed = {
            key: listed[key] if ALL_FILTER_VALUES in values else frozenset(values)
            for key, values in item["values"].items()
        }
        found.append(Bucket(index, item["values"], allowed, item.get("properties") or {}))
    return [*found, Bucket(len(found), None, {}, charge.get("properties") or {})]


def beats(other: Bucket, this: Bucket) -> bool:
    """Whether an event that matches both leaves `this` to `other` (rating.md 8)."""
    if other.allowed.keys() != this.allowed.keys():
        return other.allowed.keys() > this.allowed.keys()
    inside = all(other.allowed[key] <= this.allowed[key] for key in this.allowed)
    around = all(other.allowed[key] >= this.allowed[key] for key in this.allowed)
    if inside and around:
        return other.index < this.index
    if not inside and not around:
        raise UnsettledError("filters of the same keys that overlap in part")
    return inside


@dataclass(frozen=True)
class Charge:
    """A charge with its metric and its buckets, the default one last."""

    row: Json
    metric: Json
    buckets: Sequence[Bucket]

    @property
    def code(self) -> str:
        return str(self.row["code"])

    @property
    def aggregation(self) -> str:
        return str(self.metric["aggregation_type"])

    @property
    def recurring(self) -> bool:
        return bool(self.metric.get("recurring"))

    @property
    def prorated(self) -> bool:
        return bool(self.row.get("prorated"))

    @property
    def in_advance(self) -> bool:
        return bool(self.row.get("pay_in_advance"))

    @property
    def invoiceable(self) -> bool:
        return bool(self.row.get("invoiceable", True))

    @property
    def model(self) -> str:
        return str(self.row["charge_model"])

    def bucket_of(self, event: Event) -> Bucket:
        """The one bucket that bills an event."""
        matching = [bucket for bucket in self.buckets[:-1] if bucket.matches(event)]
        if not matching:
            return self.buckets[-1]
        kept = [b for b in matching if not any(beats(o, b) for o in matching if o is not b)]
        if len(kept) != 1:
            raise UnsettledError("filters that bill an event twice")
        if self.in_advance and max(matching, key=lambda b: len(b.allowed)) is not kept[0]:
            raise UnsettledError("arrears and advance put the event in different filters")
        return kept[0]

    def reading(self, event: Event) -> Reading | None:
        """How the metric sees an event; None when it does not."""
        if self.aggregation == "count_agg":
            return Reading(event, Fraction(1))
        text = as_text(event.properties.get(self.metric["field_name"]))
        if self.aggregation == "unique_count_agg":
            if self.in_advance and not (text or "").strip():
                return None
            return Reading(event, Fraction(1), text, event.properties.get("operation_type") != "remove")
        value = numeric(text)
        return None if value is None else Reading(event, value)


class _Case:
    def __init__(self, case: Json) -> None:
        given = case["given"]
        self.as_of = instant(case["as_of"])
        self.organization = given["organization"]
        self.customers = {row["external_id"]: row for row in given["customers"]}
        self.plans = {row["code"]: row for row in given["plans"]}
        self.metrics = {row["code"]: row for row in given["billable_metrics"]}
        self.pricing_units = {row["code"]: row for row in given.get("pricing_units") or ()}
        self.subscriptions = given["subscriptions"]
        ids = [row["external_id"] for row in self.subscriptions]
        if len(set(ids)) < len(ids):
            raise UnsettledError("plan changes are not the oracle's")
        self.events = self._events(given.get("events") or ())

    def _events(self, rows: Iterable[Json]) -> list[Event]:
        """The events known up to `as_of` in order; the first of one id counts, an expression's result is written in."""
        found: dict[tuple[str, str], Event] = {}
        for row in rows:
            at = instant(row["timestamp"])
            event = Event(
                subscription=row["external_subscription_id"],
                code=row["code"],
                at=at,
                known_at=instant(row["received_at"]) if row.get("received_at") else at,
                id=row["transaction_id"],
                properties=self._computed(row, at),
                precise_cents=Fraction(str(row.get("precise_total_amount_cents") or 0)),
            )
            found.setdefault((event.subscription, event.id), event)
        known = [
            e for e in found.values() if e.at <= self.as_of and e.known_at <= self.as_of and "" not in e.properties
        ]
        return sorted(known, key=lambda event: event.rank)

    def _computed(self, row: Json, at: datetime) -> Json:
        """The properties after the metric's expression; a refused event gets a key that none has."""
        properties = dict(row.get("properties") or {})
        metrics = [m for m in self.metrics.values() if m.get("expression") and event_code(m) == row["code"]]
        if len(metrics) > 1:
            raise UnsettledError("two expressions on one event")
        try:
            for metric in metrics:
                properties[metric["field_name"]] = evaluate(metric["expression"], properties, at)
        except FailedExpressionError:
            properties[""] = "refused"
        return properties

    def zone(self, subscription: Json) -> ZoneInfo:
        customer = self.customers[subscription["external_customer_id"]]
        return ZoneInfo(customer.get("timezone") or self.organization.get("timezone") or "UTC")

    def charges(self, plan: Json) -> list[Charge]:
        return [self._charge(row) for row in plan.get("charges") or ()]

    def _charge(self, row: Json) -> Charge:
        metric = self.metrics[row["billable_metric_code"]]
        return Charge(row, metric, bucket_list(row, metric))


def event_code(metric: Json) -> str:
    return str(metric.get("event_code") or metric["code"])


# ---- aggregation ----------------------------------------------------------------------------------------------------


def unique_steps(readings: Iterable[Reading]) -> list[int]:
    """+1, −1 or 0 for each event of an item: rating.md 3.1."""
    present: dict[str | None, bool] = {}
    steps = []
    for reading in readings:
        before = present.get(reading.item, False)
        steps.append(int(reading.adds) - int(before))
        present[reading.item] = reading.adds
    return steps


def weighted(readings: Sequence[Reading], carried: Fraction, period: Period) -> Fraction:
    """The level weighted by the seconds for which it held: rating.md 3.2."""
    end = period.stop
    if end.microsecond:
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    changes = [(reading.event.at, reading.value) for reading in readings]
    total, level, since = Fraction(0), carried, period.begin
    for at, change in [*changes, (end, Fraction(0))]:
        total += level * Fraction((at - since) // _TICK, 10**6)
        level, since = level + change, at
    return total / (period.full_days * 86400)


def stays(readings: Sequence[Reading], period: Period) -> list[tuple[Reading, Fraction]]:
    """The events of unique counts that remain, each with the part of the period it is billed for: rating.md 4.2."""
    by_item: dict[str | None, list[Reading]] = {}
    for reading in readings:
        by_item.setdefault(reading.item, []).append(reading)
    found = []
    for events in by_item.values():
        days = [local_date(reading.event.at, period.zone) for reading in events]
        kept: list[tuple[Reading, date]] = []
        for i, reading in enumerate(events):
            undone = any(
                later.adds and day == days[i] for later, day in zip(events[i + 1 :], days[i + 1 :], strict=True)
            )
            if not reading.adds and undone:
                continue
            if reading.adds == (kept[-1][0].adds if kept else False):
                continue
            kept.append((reading, days[i]))
        for i, (reading, day) in enumerate(kept):
            begin = max(day, period.first_day)
            following = kept[i + 1] if i + 1 < len(kept) else None
            end = (following[1] if following else period.last_day) + timedelta(days=1)
            gone = following is not None and following[0].event.at < period.begin
            weight = Fraction(0) if gone or not reading.adds else Fraction((end - begin).days, period.full_days)
            found.append((reading, weight))
    return sorted(found, key=lambda pair: (pair[0].event.at, pair[0].item or ""))


class _Aggregator:
    """One charge over one period."""

    def __init__(self, charge: Charge, period: Period, carried: Mapping[Any, Fraction]) -> None:
        self.charge, self.period, self.carried = charge, period, carried
        name, precision = charge.metric.get("rounding_function"), charge.metric.get("rounding_precision") or 0
        self.rounded: Callable[[Fraction], Fraction] = (
            (lambda number: ROUNDINGS[name](number, precision)) if name else (lambda number: number)
        )
        self.is_rounded = bool(name)

    def groups(self, readings: Iterable[Reading]) -> dict[tuple[int, Group], list[Reading]]:
        """The readings of each bucket and group; a bucket without any has the null group."""
        whole_history = self.charge.recurring and self.charge.aggregation in {"sum_agg", "unique_count_agg"}
        found: dict[tuple[int, Group], list[Reading]] = {}
        for index, group in self.carried:
            found.setdefault((index, group), [])
        for reading in readings:
            if whole_history or self.period.holds(reading.event.at):
                bucket = self.charge.bucket_of(reading.event)
                found.setdefault((bucket.index, bucket.group_of(reading.event)), []).append(reading)
        for bucket in self.charge.buckets:
            if not any(index == bucket.index for index, _ in found):
                found[bucket.index, bucket.null_group] = []
        return found

    def quantity(self, readings: Sequence[Reading], key: tuple[int, Group]) -> Quantity:
        """The units of one bucket and group: rating.md 3 to 5."""
        make = {
            "count_agg": self._count,
            "sum_agg": self._sum,
            "max_agg": self._max,
            "latest_agg": self._latest,
            "unique_count_agg": self._unique_count,
        }.get(self.charge.aggregation)
        found = make(readings) if make else self._weighted(readings, key)
        if self.is_rounded and found.steps:
            raise UnsettledError("metric rounding of a prorated graduated charge")
        return Quantity(
            units=self.rounded(found.units),
            priced=self.rounded(found.priced),
            events_count=found.events_count,
            values=found.values,
            precise_cents=found.precise_cents,
            steps=found.steps,
        )

    def _plain(self, units: Fraction, readings: Sequence[Reading]) -> Quantity:
        return Quantity(units, units, len(readings), [reading.value for reading in readings])

    def _count(self, readings: Sequence[Reading]) -> Quantity:
        return self._plain(Fraction(len(readings)), readings)

    def _sum(self, readings: Sequence[Reading]) -> Quantity:
        values = [reading.value for reading in readings]
        precise = sum((reading.event.precise_cents for reading in readings), Fraction(0))
        total = sum(values, Fraction(0))
        if not self.charge.prorated:
            return Quantity(total, total, len(values), values, precise)
        period = self.period
        before = sum((r.value for r in readings if r.event.at < period.begin), Fraction(0))
        steps = [(before, Fraction(period.days, period.full_days))] if before else []
        for reading in readings:
            if reading.event.at >= period.begin:
                left = (period.last_day - local_date(reading.event.at, period.zone)).days + 1
                steps.append((reading.value, Fraction(left, period.full_days)))
        prorated = up(sum((change * weight for change, weight in steps), Fraction(0)), 5)
        return Quantity(total, prorated, len(values), values, precise, steps if self._walks else ())

    def _max(self, readings: Sequence[Reading]) -> Quantity:
        values = [reading.value for reading in readings]
        highest = max(values, default=Fraction(0))
        carrier = values.index(highest) if values else None
        return Quantity(
            highest, highest, len(values), [v if i == carrier else Fraction(0) for i, v in enumerate(values)]
        )

    def _latest(self, readings: Sequence[Reading]) -> Quantity:
        return self._plain(max(Fraction(0), readings[-1].value) if readings else Fraction(0), readings)

    def _unique_count(self, readings: Sequence[Reading]) -> Quantity:
        units = Fraction(sum(unique_steps(readings)))
        if not self.charge.prorated:
            by_limits = has_event_limits(self.charge)
            return Quantity(units, units, int(units), [Fraction(1)] * (len(readings) if by_limits else int(units)))
        remaining = stays(readings, self.period)
        prorated = up(sum((weight for _, weight in remaining), Fraction(0)), 5)
        return Quantity(units, prorated, int(units), steps=self._unique_walk(remaining) if self._walks else ())

    def _unique_walk(self, remaining: Sequence[tuple[Reading, Fraction]]) -> list[tuple[Fraction, Fraction]]:
        """The steps of prorated graduated: rating.md 6.9, with what is skipped."""
        steps, level = [], 0
        for reading, weight in remaining:
            if (reading.adds and weight == 0) or (not reading.adds and level == 0):
                continue
            change = 1 if reading.adds else -1
            level += change
            steps.append((Fraction(change), up(weight, 5)))
        return steps

    def _weighted(self, readings: Sequence[Reading], key: tuple[int, Group]) -> Quantity:
        units = weighted(readings, self.carried.get(key, Fraction(0)), self.period)
        if not self.charge.buckets[key[0]].properties.get("pricing_group_keys"):
            units = up(units, 20)
        return self._plain(units, readings)

    @property
    def _walks(self) -> bool:
        return self.charge.model == "graduated"


def has_event_limits(charge: Charge) -> bool:
    keys = ("per_transaction_min_amount", "per_transaction_max_amount")
    return any(bucket.properties.get(key) for bucket in charge.buckets for key in keys)


def has_allowance(charge: Charge) -> bool:
    keys = ("free_units_per_events", "free_units_per_total_aggregation")
    return any(number(bucket.properties, key) for bucket in charge.buckets for key in keys)


# ---- fees -----------------------------------------------------------------------------------------------------------


class _Subscription:
    """One subscription of a case, period by period."""

    def __init__(self, case: _Case, row: Json) -> None:
        self.case, self.row = case, row
        self.id, self.customer = row["external_id"], row["external_customer_id"]
        self.zone = case.zone(row)
        self.plan = case.plans[row["plan_code"]]
        self.exponent = EXPONENTS[self.plan["amount_currency"]]
        self.charges = case.charges(self.plan)
        self.events = [event for event in case.events if event.subscription == self.id]
        self.created, self.start = instant(row["created_at"]), instant(row["subscription_at"])
        if local_date(self.start, self.zone) > local_date(self.created, self.zone):
            self.start = midnight(local_date(self.start, self.zone), self.zone)
        ended = instant(row["terminated_at"]) if row.get("terminated_at") else None
        self.end = ended if ended is not None and ended <= case.as_of else None
        self.periods = list(self._periods())

    def _periods(self) -> Iterable[Period]:
        """The periods billed up to `as_of`, then the open one."""
        anchor = local_date(instant(self.row["subscription_at"]), self.zone)
        calendar = self.row.get("billing_time", "calendar") == "calendar"
        day = local_date(self.start, self.zone)
        while self.start <= self.case.as_of:
            first, last = full_period(day, self.plan["interval"], None if calendar else anchor)
            start, following = (
                max(self.start, midnight(first, self.zone)),
                midnight(last + timedelta(days=1), self.zone),
            )
            full_days = (last - first).days + 1
            if self.end is not None and self.end < following:
                yield Period(start, self.end, self.zone, full_days, self.end, ends_subscription=True)
                return
            stop = following - _TICK
            if following > self.case.as_of:
                yield Period(start, stop, self.zone, full_days, self.case.as_of, is_open=True)
                return
            if following < self.created:
                raise UnsettledError("periods that were over when the subscription was entered")
            yield Period(start, stop, self.zone, full_days, following)
            day = last + timedelta(days=1)

    def run(self, outcome: Outcome) -> None:
        """Add the invoices, the fees without invoice, and the running usage."""
        made: list[tuple[Any, list[Fee]]] = []
        carried: dict[str, dict[Any, Fraction]] = {charge.code: {} for charge in self.charges}
        for period in self.periods:
            fees: list[Fee] = []
            for charge in self.charges:
                if charge.in_advance:
                    advance = _Advance(self, charge, period)
                    for event, fee in advance.fees():
                        if charge.invoiceable:
                            made.append(((event.at, 1, event.rank), [fee]))
                        else:
                            outcome.alone.append(fee)
                    if period.is_open:
                        outcome.usage += [(self.id, fee) for fee in advance.running()]
                    elif charge.recurring and not period.ends_subscription:
                        renewed = advance.renewal()
                        (fees if charge.invoiceable else outcome.alone).extend(renewed)
                else:
                    rated = self._arrears(charge, period, carried[charge.code])
                    if period.is_open:
                        outcome.usage += [(self.id, fee) for fee in rated]
                    else:
                        fees += [fee for fee in rated if fee.units or fee.amount_cents or fee.events_count]
                        fees += self._true_up(charge, period, rated)
            if not period.is_open:
                rank = (period.billed_at, 2 if period.ends_subscription else 0, ())
                made.append((rank, [*fees, Fee("subscription", self.plan["code"], None, None, 0)]))
        for rank, fees in sorted(made, key=lambda pair: pair[0]):
            outcome.invoices.append(Invoice(self.id, self.customer, rank[0], local_date(rank[0], self.zone), fees))

    def readings(self, charge: Charge, until: datetime) -> list[Reading]:
        """What a charge's metric reads of all history up to an instant, in order."""
        events = [e for e in self.events if e.code == event_code(charge.metric) and e.at <= until]
        return [reading for event in events if (reading := charge.reading(event)) is not None]

    def cents(self, charge: Charge, exact: Fraction) -> int:
        """An exact amount in the currency's minor unit: rounded once, or twice through a pricing unit."""
        unit = charge.row.get("applied_pricing_unit")
        if unit:
            exponent = self.case.pricing_units[unit["code"]].get("exponent", 2)
            exact = half_away(exact, exponent) * Fraction(unit["conversion_rate"])
        return int(half_away(exact, self.exponent) * 10**self.exponent)

    def fee(self, charge: Charge, bucket: Bucket, group: Group, exact: Fraction, **columns: Any) -> Fee:
        in_money = exact * 10**self.exponent
        return Fee(
            "charge",
            charge.code,
            bucket.values,
            dict(group) if group else None,
            self.cents(charge, exact),
            precise_cents=None if charge.row.get("applied_pricing_unit") else in_money,
            **columns,
        )

    def _arrears(self, charge: Charge, period: Period, carried: dict[Any, Fraction]) -> list[Fee]:
        """The fees of all buckets and groups, also empty ones; stores the levels that a weighted sum carries on."""
        check_settled(charge)
        readings = [r for r in self.readings(charge, period.stop) if period.knows(r.event.known_at)]
        aggregator = _Aggregator(charge, period, carried)
        found = []
        for key, own in aggregator.groups(readings).items():
            bucket = charge.buckets[key[0]]
            q = aggregator.quantity(own, key)
            exact = amount(charge.model, bucket.properties, q, prorated=charge.prorated, subunits=10**self.exponent)
            units = q.units
            # the units that are shown, those that are priced, or the amount
            if min(units, q.priced, exact) < 0:
                units = exact = Fraction(0)
            counted = not (charge.prorated and charge.aggregation == "unique_count_agg")
            counted = counted and not (aggregator.is_rounded and charge.aggregation == "unique_count_agg")
            found.append(
                self.fee(
                    charge,
                    bucket,
                    key[1],
                    exact,
                    units=units,
                    events_count=q.events_count if counted else None,
                    from_date=period.first_day,
                    to_date=period.last_day,
                )
            )
            if charge.aggregation == "weighted_sum_agg" and charge.recurring:
                level = carried.get(key, Fraction(0)) + sum((r.value for r in own), Fraction(0))
                if own or key in carried:
                    carried[key] = level
        return found

    def _true_up(self, charge: Charge, period: Period, fees: Iterable[Fee]) -> list[Fee]:
        """Section 11."""
        due = Fraction((charge.row.get("min_amount_cents") or 0) * period.days, period.full_days)
        missing = due - sum(fee.amount_cents for fee in fees)
        if missing <= 0:
            return []
        return [Fee("true_up", charge.code, None, None, int(half_away(missing)))]


def check_settled(charge: Charge) -> None:
    """Combinations for which rating.md does not say what the values of events are."""
    if charge.model != "percentage":
        return
    if has_event_limits(charge):
        if charge.aggregation in {"latest_agg", "weighted_sum_agg"}:
            raise UnsettledError(f"limits per event of {charge.aggregation}")
        if charge.aggregation == "unique_count_agg" and charge.recurring:
            raise UnsettledError("limits per event of a recurring unique count")
    elif has_allowance(charge):
        if charge.aggregation in {"max_agg", "weighted_sum_agg", "latest_agg"}:
            raise UnsettledError(f"running totals of {charge.aggregation}")
        if charge.metric.get("rounding_function") and charge.aggregation == "unique_count_agg":
            raise UnsettledError("running totals of a rounded unique count")


class _Advance:
    """A charge paid in advance over one period: rating.md 7."""

    def __init__(self, subscription: _Subscription, charge: Charge, period: Period) -> None:
        self.subscription, self.charge, self.period = subscription, charge, period
        self.highest: dict[tuple[int, Group], Fraction] = {}
        self.prorated: dict[tuple[int, Group], Fraction] = {}
        if charge.model == "volume" or (charge.prorated and charge.model != "standard"):
            raise UnsettledError("not allowed in advance")
        if charge.recurring and charge.model in {"percentage", "dynamic"}:
            raise UnsettledError(f"the renewal of a {charge.model} price")
        if charge.aggregation == "unique_count_agg" and charge.model == "percentage":
            raise UnsettledError("a percentage of unique counts in advance")

    def _grouped(self) -> dict[tuple[int, Group], list[Reading]]:
        found: dict[tuple[int, Group], list[Reading]] = {}
        for reading in self.subscription.readings(self.charge, self.period.stop):
            if not self.charge.recurring and not self.period.holds(reading.event.at):
                continue
            bucket = self.charge.bucket_of(reading.event)
            found.setdefault((bucket.index, bucket.group_of(reading.event)), []).append(reading)
        return found

    def _steps(self, readings: Sequence[Reading]) -> list[Fraction]:
        if self.charge.aggregation == "unique_count_agg":
            return [Fraction(step) for step in unique_steps(readings)]
        return [reading.value for reading in readings]

    def fees(self) -> Iterable[tuple[Event, Fee]]:
        """One fee for each event of the period."""
        for key, readings in self._grouped().items():
            total = current = highest = billed_prorated = Fraction(0)
            steps = self._steps(readings)
            for i, (reading, step) in enumerate(zip(readings, steps, strict=True)):
                total += step
                event = reading.event
                if not self.period.holds(event.at):
                    continue
                if event.known_at != event.at:
                    raise UnsettledError("an event that arrives after a charge in advance would have billed it")
                current += step
                billed = max(Fraction(0), current - highest)
                highest = max(highest, current)
                bucket = self.charge.buckets[key[0]]
                exact, priced = self._amount(bucket, readings[: i + 1], total, billed)
                billed_prorated += priced
                yield (
                    event,
                    self.subscription.fee(
                        self.charge, bucket, key[1], exact, units=billed or max(Fraction(0), step), events_count=1
                    ),
                )
            self.highest[key], self.prorated[key] = total - current + highest, billed_prorated

    def _amount(
        self, bucket: Bucket, readings: Sequence[Reading], total: Fraction, billed: Fraction
    ) -> tuple[Fraction, Fraction]:
        """The exact amount of an event, and its prorated units."""
        model, properties, period = self.charge.model, bucket.properties, self.period
        event = readings[-1].event
        if self.charge.prorated:
            end = full_end(self.subscription, period)
            left = (end - local_date(event.at, period.zone)).days + 1
            units = up(billed * Fraction(left, period.full_days), 5)
            return units * number(properties, "amount"), units
        if model in {"percentage", "dynamic"} and any(reading.value <= 0 for reading in readings):
            raise UnsettledError(f"a {model} price in advance of values that are not positive")
        if model == "dynamic":
            return event.precise_cents / 10**self.subscription.exponent, billed
        values = [reading.value for reading in readings]
        if model == "percentage" and (
            properties.get("per_transaction_min_amount") or properties.get("per_transaction_max_amount")
        ):
            return event_amounts(properties, values)[-1], billed
        before = total - billed
        if before < 0:
            raise UnsettledError("a level below zero in advance")
        with_it = self._model(bucket, total, len(values), values)
        without = self._model(bucket, before, len(values) - 1, values)
        if model.startswith("graduated"):
            if before == 0:
                without = Fraction(0)
            if total == 0 and with_it:
                raise UnsettledError("a flat fee in advance at a level of 0")
        return with_it - without, billed

    def _model(self, bucket: Bucket, units: Fraction, count: int, values: Sequence[Fraction] = ()) -> Fraction:
        return amount(
            self.charge.model,
            bucket.properties,
            Quantity(units, units, count, values),
            prorated=False,
            subunits=10**self.subscription.exponent,
        )

    def renewal(self) -> list[Fee]:
        """One fee for the full level of each bucket and group at the period's end."""
        if self.charge.metric.get("rounding_function"):
            raise UnsettledError("metric rounding of a renewal")
        found = []
        for key, readings in self._grouped().items():
            level = sum(self._steps(readings), Fraction(0))
            bucket = self.charge.buckets[key[0]]
            exact = self._model(bucket, max(Fraction(0), level), len(readings))
            if level <= 0 and exact:
                raise UnsettledError("the renewal of a flat fee at a level of 0")
            if level > 0 or exact:
                found.append(self.subscription.fee(self.charge, bucket, key[1], exact, units=level))
        return found

    def running(self) -> list[Fee]:
        """What has been billed so far, with the present level as units."""
        if self.charge.metric.get("rounding_function"):
            # whether its units are rounded is open: nothing is said of them
            return []
        found = []
        for key, readings in self._grouped().items():
            level = sum(self._steps(readings), Fraction(0))
            bucket = self.charge.buckets[key[0]]
            values = [reading.value for reading in readings]
            if self.charge.prorated:
                inside = [r for r in readings if not self.period.holds(r.event.at)]
                carried = sum(self._steps(inside), Fraction(0))
                weight = Fraction(self.period.days, self.period.full_days)
                exact = (up(carried * weight, 5) + self.prorated[key]) * number(bucket.properties, "amount")
            elif self.charge.model == "dynamic":
                exact = sum((r.event.precise_cents for r in readings), Fraction(0)) / 10**self.subscription.exponent
            else:
                exact = self._model(bucket, self.highest[key], len(values), values)
                if self.highest[key] <= 0 and exact:
                    raise UnsettledError("running usage of a flat fee in advance at a level of 0")
            if min(level, exact) < 0:
                level = exact = Fraction(0)
            found.append(self.subscription.fee(self.charge, bucket, key[1], exact, units=level))
        return found


def full_end(subscription: _Subscription, period: Period) -> date:
    """The last day of the whole period: an event does not know that the subscription will end."""
    anchor = local_date(instant(subscription.row["subscription_at"]), period.zone)
    calendar = subscription.row.get("billing_time", "calendar") == "calendar"
    return full_period(period.first_day, subscription.plan["interval"], None if calendar else anchor)[1]


def rate(case: Json) -> Outcome:
    """The usage fees, invoices and running usage that a case must give."""
    read = _Case(case)
    outcome = Outcome()
    for row in read.subscriptions:
        _Subscription(read, row).run(outcome)
    return outcome
