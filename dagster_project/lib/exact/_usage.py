"""From events to units, one event at a time: docs/billing-rules.md, Usage and Exactness."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from dagster_project.lib.exact._numbers import ROUNDINGS, UnsettledError, as_text, numeric, up
from dagster_project.lib.exact._prices import Quantity, number
from dagster_project.lib.exact._time import TICK, Period

ALL_FILTER_VALUES = "__ALL_FILTER_VALUES__"

Json = Mapping[str, Any]
Group = tuple[tuple[str, str | None], ...]


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
    """Whether an event that matches both leaves `this` to `other` (docs/billing-rules.md, Usage).

    Raises UnsettledError for filters that overlap in part, which a book may not have.
    """
    if other.allowed.keys() != this.allowed.keys():
        return other.allowed.keys() > this.allowed.keys()
    inside = all(other.allowed[key] <= this.allowed[key] for key in this.allowed)
    around = all(other.allowed[key] >= this.allowed[key] for key in this.allowed)
    if inside and around:
        return other.index < this.index
    if not inside and not around:
        raise UnsettledError("filters of the same keys that overlap in part")
    return inside


def event_code(metric: Json) -> str:
    """The code of the events that a metric reads."""
    return str(metric.get("event_code") or metric["code"])


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
        """The one bucket that bills an event. Raises UnsettledError where there are two."""
        matching = [bucket for bucket in self.buckets[:-1] if bucket.matches(event)]
        if not matching:
            return self.buckets[-1]
        kept = [b for b in matching if not any(beats(o, b) for o in matching if o is not b)]
        if len(kept) != 1:
            raise UnsettledError("filters that bill an event twice")
        if self.in_advance and max(matching, key=lambda b: len(b.allowed)) is not kept[0]:
            raise UnsettledError("arrears and advance put the event in different filters")
        return kept[0]

    def takes(self, bucket: Bucket, event: Event) -> bool:
        """Whether a bucket bills an event; in arrears filters without a common order both may."""
        matching = [found for found in self.buckets[:-1] if found.matches(event)]
        if not matching:
            return bucket is self.buckets[-1]
        if self.in_advance:
            return bucket is max(matching, key=lambda found: len(found.allowed))
        return bucket in matching and not any(beats(other, bucket) for other in matching if other is not bucket)

    def reading(self, event: Event) -> Reading | None:
        """How the metric sees an event; None when it does not."""
        if self.aggregation == "count_agg":
            return Reading(event, Fraction(1))
        text = as_text(event.properties.get(self.metric["field_name"]))
        if self.aggregation == "unique_count_agg":
            if self.in_advance and not (text or "").strip(" \t\n\v\f\r"):
                return None
            return Reading(event, Fraction(1), text, event.properties.get("operation_type") != "remove")
        value = numeric(text)
        return None if value is None else Reading(event, value)


def unique_steps(readings: Iterable[Reading]) -> list[int]:
    """+1, −1 or 0 for each event of an item: docs/billing-rules.md, Usage."""
    present: dict[str | None, bool] = {}
    steps = []
    for reading in readings:
        before = present.get(reading.item, False)
        steps.append(int(reading.adds) - int(before))
        present[reading.item] = reading.adds
    return steps


def weighted(readings: Sequence[Reading], carried: Fraction, period: Period) -> Fraction:
    """The level weighted by the seconds for which it held: docs/billing-rules.md, Usage."""
    end = period.stop
    if end.microsecond:
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    changes = [(reading.event.at, reading.value) for reading in readings]
    total, level, since = Fraction(0), carried, period.begin
    for at, change in [*changes, (end, Fraction(0))]:
        total += level * Fraction((at - since) // TICK, 10**6)
        level, since = level + change, at
    return total / (period.full_days * 86400)


def stays(readings: Sequence[Reading], period: Period) -> list[tuple[Reading, Fraction]]:
    """The events of unique counts that remain, each with the part of the period it is billed for: docs/billing-rules.md, Usage."""
    by_item: dict[str | None, list[Reading]] = {}
    for reading in readings:
        by_item.setdefault(reading.item, []).append(reading)
    found = []
    for events in by_item.values():
        days = [period.day_of(reading.event.at) for reading in events]
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
            last = min(following[1], period.last_weighed_day) if following else period.last_weighed_day
            end = last + timedelta(days=1)
            gone = following is not None and following[0].event.at < period.begin
            weight = Fraction(0) if gone or not reading.adds else Fraction((end - begin).days, period.full_days)
            found.append((reading, weight))
    return sorted(found, key=lambda pair: (pair[0].event.at, pair[0].item or ""))


class Aggregator:
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
        """The units of one bucket and group (docs/billing-rules.md, Usage). Raises UnsettledError where that leaves them open."""
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
        return replace(found, units=self.rounded(found.units), priced=self.rounded(found.priced))

    def _plain(self, units: Fraction, readings: Sequence[Reading]) -> Quantity:
        return Quantity(units, units, len(readings), [reading.value for reading in readings])

    def _count(self, readings: Sequence[Reading]) -> Quantity:
        return replace(self._plain(Fraction(len(readings)), readings), is_count=True)

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
                left = (period.last_weighed_day - period.day_of(reading.event.at)).days + 1
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
            values = [Fraction(1)] * (len(readings) if by_limits else int(units))
            return Quantity(units, units, int(units), values, is_count=True)
        remaining = stays(readings, self.period)
        prorated = up(sum((weight for _, weight in remaining), Fraction(0)), 5)
        return Quantity(units, prorated, int(units), steps=self._unique_walk(remaining) if self._walks else ())

    def _unique_walk(self, remaining: Sequence[tuple[Reading, Fraction]]) -> list[tuple[Fraction, Fraction]]:
        """The steps of prorated graduated: docs/billing-rules.md, Prices, with what is skipped."""
        steps, level = [], 0
        for reading, weight in remaining:
            if (reading.adds and weight == 0) or (not reading.adds and level == 0):
                continue
            change = 1 if reading.adds else -1
            level += change
            steps.append((Fraction(change), up(weight, 5)))
        return steps

    def _weighted(self, readings: Sequence[Reading], key: tuple[int, Group]) -> Quantity:
        # in groups too, which the rules leave exact: a choice of docs/billing-rules.md
        units = up(weighted(readings, self.carried.get(key, Fraction(0)), self.period), 20)
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


def check_settled(charge: Charge) -> None:
    """Raise UnsettledError for combinations for which the rules do not say what the values of events are."""
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
