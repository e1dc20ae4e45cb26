"""What a case must be charged for usage, worked out from the written rules alone, in exact fractions.

Event by event and bucket by bucket, in plain loops: nothing here knows how the warehouse does it. Covered are
subscriptions of one row (no plan changes) in any timezone, calendar or anniversary, ended or not, with every
aggregation and charge model but the custom ones. Where the rules leave something open, `UnsettledError` is raised.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import (
    TICK,
    AdvanceFee,
    Aggregator,
    Bucket,
    Charge,
    Event,
    Group,
    Json,
    Period,
    PricingUnit,
    Quantity,
    Reading,
    UnsettledError,
    advance_fee,
    amount,
    amount_cents,
    bucket_list,
    check_settled,
    days_between,
    event_amounts,
    event_code,
    full_period,
    half_away,
    has_limits,
    instant,
    level_quantity,
    level_steps,
    local_date,
    midnight,
    number,
    rate_bucket,
    up,
)
from tests.rating.oracle_expressions import FailedExpressionError, evaluate

EXPONENTS = {"EUR": 2, "USD": 2, "JPY": 0, "BHD": 3}


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


# ---- the case -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BilledPeriod(Period):
    """A usage period with the instant at which it is billed, or looked at while it is open."""

    billed_at: datetime
    ends_subscription: bool = False
    is_open: bool = False

    def knows(self, known_at: datetime) -> bool:
        """Whether what became known then counts: before a renewal, up to a termination or the moment of looking."""
        return known_at <= self.billed_at if self.ends_subscription or self.is_open else known_at < self.billed_at


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
        measuring = [m for m in self.metrics.values() if event_code(m) == row["code"] and not m.get("expression")]
        if any(
            m["aggregation_type"] not in ("count_agg", "unique_count_agg")
            and _is_too_long(properties.get(m["field_name"]))
            for m in measuring
        ):
            properties[""] = "refused"
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
        if metric["aggregation_type"] == "custom_agg":
            if metric["custom_aggregator"] != {"units": "count(*)", "amount": None}:
                raise UnsettledError("SQL is not the oracle's")
            metric = metric | {"aggregation_type": "count_agg"}
        return Charge(row, metric, bucket_list(row, metric))


def _is_too_long(value: Any) -> bool:
    """Whether a number has more than 15 digits before or 12 after the point, zeros at its ends aside."""
    try:
        quantity = Fraction(str(value))
    except ValueError:
        return False
    return abs(quantity) >= 10**15 or 10**12 % quantity.denominator != 0


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

    def _periods(self) -> Iterable[BilledPeriod]:
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
                yield self._period(start, self.end, full_days, self.end, ends_subscription=True)
                return
            stop = following - TICK
            if following > self.case.as_of:
                yield self._period(start, stop, full_days, self.case.as_of, is_open=True)
                return
            if following < self.created:
                raise UnsettledError("periods that were over when the subscription was entered")
            yield self._period(start, stop, full_days, following)
            day = last + timedelta(days=1)

    def _period(
        self, start: datetime, stop: datetime, full_days: int, billed_at: datetime, **kind: bool
    ) -> BilledPeriod:
        return BilledPeriod(
            start,
            stop,
            self.zone,
            full_days,
            days_between(start, stop, self.zone),
            local_date(start, self.zone),
            local_date(stop, self.zone),
            billed_at,
            **kind,
        )

    def run(self, outcome: Outcome) -> None:
        """Add the invoices, the fees without invoice, and the running usage."""
        made: list[tuple[Any, datetime, list[Fee]]] = []
        carried: dict[str, dict[Any, Fraction]] = {charge.code: {} for charge in self.charges}
        for period in self.periods:
            fees: list[Fee] = []
            for charge in self.charges:
                if charge.in_advance:
                    advance = _Advance(self, charge, period)
                    for event, fee in advance.fees():
                        if charge.invoiceable:
                            made.append(((max(event.at, event.known_at), 1, event.rank), event.at, [fee]))
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
                made.append((rank, rank[0], [*fees, Fee("subscription", self.plan["code"], None, None, 0)]))
        for rank, issued_at, fees in sorted(made, key=lambda invoice: invoice[0]):
            outcome.invoices.append(Invoice(self.id, self.customer, rank[0], local_date(issued_at, self.zone), fees))

    def readings(self, charge: Charge, until: datetime) -> list[Reading]:
        """What a charge's metric reads of all history up to an instant, in order."""
        events = [e for e in self.events if e.code == event_code(charge.metric) and e.at <= until]
        return [reading for event in events if (reading := charge.reading(event)) is not None]

    def cents(self, charge: Charge, exact: Fraction) -> int:
        """An exact amount in the currency's minor unit: rounded once, or twice through a pricing unit."""
        unit = charge.row.get("applied_pricing_unit")
        if not unit:
            return amount_cents(exact, self.exponent)
        exponent = self.case.pricing_units[unit["code"]].get("exponent", 2)
        return amount_cents(exact, self.exponent, PricingUnit(exponent, Fraction(unit["conversion_rate"])))

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

    def _arrears(self, charge: Charge, period: BilledPeriod, carried: dict[Any, Fraction]) -> list[Fee]:
        """The fees of all buckets and groups, also empty ones; stores the levels that a weighted sum carries on."""
        check_settled(charge)
        readings = [r for r in self.readings(charge, period.stop) if period.knows(r.event.known_at)]
        aggregator = Aggregator(charge, period, carried)
        found = []
        for key, own in aggregator.groups(readings).items():
            bucket = charge.buckets[key[0]]
            rated = rate_bucket(charge, bucket, aggregator.quantity(own, key), subunits=10**self.exponent)
            counted = not (charge.prorated and charge.aggregation == "unique_count_agg")
            counted = counted and not (aggregator.is_rounded and charge.aggregation == "unique_count_agg")
            found.append(
                self.fee(
                    charge,
                    bucket,
                    key[1],
                    rated.exact,
                    units=rated.units,
                    events_count=rated.quantity.events_count if counted else None,
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
        """What the minimum of the charge asks for above its fees, by the days of the period: docs/billing-rules.md, Prices."""
        due = Fraction((charge.row.get("min_amount_cents") or 0) * period.days, period.full_days)
        missing = due - sum(fee.amount_cents for fee in fees)
        if missing <= 0:
            return []
        return [Fee("true_up", charge.code, None, None, int(half_away(missing)))]


class _Advance:
    """A charge paid in advance over one period: docs/billing-rules.md, Prices."""

    def __init__(self, subscription: _Subscription, charge: Charge, period: BilledPeriod) -> None:
        self.subscription, self.charge, self.period = subscription, charge, period
        self.billed: dict[tuple[int, Group], list[AdvanceFee]] = {}
        if charge.model == "volume" or (charge.prorated and charge.model != "standard"):
            raise UnsettledError("not allowed in advance")
        if charge.recurring and charge.model in {"percentage", "dynamic"}:
            raise UnsettledError(f"the renewal of a {charge.model} price")

    def _grouped(self) -> dict[tuple[int, Group], list[Reading]]:
        found: dict[tuple[int, Group], list[Reading]] = {}
        for reading in self.subscription.readings(self.charge, self.period.stop):
            if not self.charge.recurring and not self.period.holds(reading.event.at):
                continue
            bucket = self.charge.bucket_of(reading.event)
            found.setdefault((bucket.index, bucket.group_of(reading.event)), []).append(reading)
        return found

    def fees(self) -> Iterable[tuple[Event, Fee]]:
        """One fee for each event of the period."""
        last_day, subunits = full_end(self.subscription, self.period), 10**self.subscription.exponent
        for key, readings in self._grouped().items():
            bucket = self.charge.buckets[key[0]]
            made = self.billed.setdefault(key, [])
            known = sorted(readings, key=lambda found: (max(found.event.at, found.event.known_at), found.event.rank))
            for i, reading in enumerate(known):
                event = reading.event
                if not self.period.holds(event.at):
                    continue
                if not self.period.knows(event.known_at):
                    raise UnsettledError("an event in advance that is known when its period is over")
                fee = advance_fee(self.charge, bucket, self.period, known[: i + 1], last_day, subunits)
                made.append(fee)
                yield (
                    event,
                    self.subscription.fee(self.charge, bucket, key[1], fee.exact, units=fee.units, events_count=1),
                )

    def _model(self, bucket: Bucket, quantity: Quantity) -> Fraction:
        subunits = 10**self.subscription.exponent
        return amount(self.charge.model, bucket.properties, quantity, prorated=False, subunits=subunits)

    def renewal(self) -> list[Fee]:
        """One fee for the full level of each bucket and group at the period's end."""
        if self.charge.metric.get("rounding_function"):
            raise UnsettledError("metric rounding of a renewal")
        found = []
        for key, all_readings in self._grouped().items():
            # an event from before the subscription may become known when the period is over
            readings = [reading for reading in all_readings if self.period.knows(reading.event.known_at)]
            level = sum(level_steps(self.charge, readings), Fraction(0))
            bucket = self.charge.buckets[key[0]]
            exact = self._model(bucket, level_quantity(self.charge, max(Fraction(0), level), readings))
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
            steps = level_steps(self.charge, readings)
            level = sum(steps, Fraction(0))
            made = self.billed.get(key, [])
            inside = sum(
                (step for step, r in zip(steps, readings, strict=True) if self.period.holds(r.event.at)), Fraction(0)
            )
            highest = level - inside + (made[-1].highest if made else Fraction(0))
            bucket = self.charge.buckets[key[0]]
            if self.charge.prorated:
                before = [r for r in readings if not self.period.holds(r.event.at)]
                carried = sum(level_steps(self.charge, before), Fraction(0))
                weight = Fraction(self.period.days, self.period.full_days)
                billed = sum((fee.priced for fee in made), Fraction(0))
                exact = (up(carried * weight, 5) + billed) * number(bucket.properties, "amount")
            elif self.charge.model == "dynamic":
                exact = sum((r.event.precise_cents for r in readings), Fraction(0)) / 10**self.subscription.exponent
            elif self.charge.model == "percentage" and has_limits(bucket.properties):
                # event by event, removals and repeats of an item included
                exact = sum(event_amounts(bucket.properties, [r.value for r in readings]), Fraction(0))
            else:
                exact = self._model(
                    bucket, replace(level_quantity(self.charge, level, readings), priced=highest, units=highest)
                )
                if highest <= 0 and exact:
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
