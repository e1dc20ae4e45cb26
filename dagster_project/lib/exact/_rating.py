"""From units to amounts: docs/billing-rules.md, Exactness and Prices."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact._numbers import UnsettledError, half_away, up
from dagster_project.lib.exact._prices import Quantity, amount, event_amounts, has_limits, number
from dagster_project.lib.exact._time import Period
from dagster_project.lib.exact._usage import Bucket, Charge, Reading, unique_steps


@dataclass(frozen=True)
class PricingUnit:
    """A custom unit that a charge is priced in: its decimals, and what one of it costs in the currency."""

    exponent: int
    conversion_rate: Fraction


@dataclass(frozen=True)
class Rated:
    """A bucket and group with the units that are shown and the exact amount in currency units."""

    quantity: Quantity
    units: Fraction
    exact: Fraction


@dataclass(frozen=True)
class AdvanceFee:
    """What one event of a charge paid in advance costs.

    `total` is the level with the event, of which `billed` units are above the highest level so far (`highest`: with
    the event); `priced` are those units prorated; `with_it` and `without` are the prices of the two totals, where the
    amount is their difference.
    """

    exact: Fraction
    units: Fraction
    step: Fraction
    total: Fraction
    billed: Fraction
    highest: Fraction
    priced: Fraction
    with_it: Fraction | None = None
    without: Fraction | None = None


def amount_cents(exact: Fraction, exponent: int, unit: PricingUnit | None = None) -> int:
    """An exact amount in the currency's minor unit: rounded once, or twice through a pricing unit."""
    if unit is not None:
        exact = half_away(exact, unit.exponent) * unit.conversion_rate
    return int(half_away(exact, exponent) * 10**exponent)


def rate_bucket(charge: Charge, bucket: Bucket, quantity: Quantity, *, subunits: int) -> Rated:
    """The amount of a bucket; units and amount are zero together when either is negative."""
    exact = amount(charge.model, bucket.properties, quantity, prorated=charge.prorated, subunits=subunits)
    # the units that are shown, those that are priced, or the amount
    if min(quantity.units, quantity.priced, exact) < 0:
        return Rated(quantity, Fraction(0), Fraction(0))
    return Rated(quantity, quantity.units, exact)


def level_steps(charge: Charge, readings: Sequence[Reading]) -> list[Fraction]:
    """What each event changes of the level, in time order."""
    if charge.aggregation == "unique_count_agg":
        return [Fraction(step) for step in unique_steps(readings)]
    return [reading.value for reading in readings]


def level_quantity(charge: Charge, level: Fraction, readings: Sequence[Reading]) -> Quantity:
    """A level of a charge paid in advance with the events that made it; those of a unique count are its units."""
    if charge.aggregation == "unique_count_agg":
        return Quantity(level, level, int(level), [Fraction(1)] * int(level), is_count=True)
    values = [reading.value for reading in readings]
    return Quantity(level, level, len(values), values, is_count=charge.aggregation == "count_agg")


def steps_as_known(charge: Charge, known: Sequence[Reading]) -> list[Fraction]:
    """What each event changed of the level when it became known, in that order: later news change no earlier step."""
    if charge.aggregation != "unique_count_agg":
        return [reading.value for reading in known]
    steps = []
    operations: dict[str | None, list[tuple[tuple[Any, ...], bool]]] = {}
    for reading in known:
        of_item = operations.setdefault(reading.item, [])
        place = bisect_left(of_item, reading.event.rank, key=lambda operation: operation[0])
        was_there = of_item[place - 1][1] if place else False
        steps.append(Fraction(int(reading.adds) - int(was_there)))
        of_item.insert(place, (reading.event.rank, reading.adds))
    return steps


def known_so_far(known: Sequence[Reading]) -> list[Reading]:
    """Of readings in the order in which they became known: those up to the time of the last one, in time order."""
    last = known[-1].event.rank
    return sorted((other for other in known if other.event.rank <= last), key=lambda found: found.event.rank)


def advance_fee(
    charge: Charge, bucket: Bucket, period: Period, readings: Sequence[Reading], last_day: date, subunits: int
) -> AdvanceFee:
    """The fee of the event that became known last of `readings`, those of its bucket and group known with it."""
    known = sorted(readings, key=lambda found: (max(found.event.at, found.event.known_at), found.event.rank))
    event, steps = known[-1].event, steps_as_known(charge, known)
    current = highest = paid_for = Fraction(0)
    for other, change in zip(known, steps, strict=True):
        if period.holds(other.event.at):
            current += change
            paid_for, highest = highest, max(highest, current)
    billed, step = highest - paid_for, steps[-1]
    # an event that became known after later ones counts for itself: their fees stay as they were made
    earlier = known_so_far(known)
    total = sum(level_steps(charge, earlier), Fraction(0))
    units = billed or max(Fraction(0), step)

    def fee(exact: Fraction, priced: Fraction, *prices: Fraction) -> AdvanceFee:
        return AdvanceFee(exact, units, step, total, billed, highest, priced, *prices)

    if charge.prorated:
        left = (last_day - period.day_of(event.at)).days + 1
        priced = up(billed * Fraction(left, period.full_days), 5)
        return fee(priced * number(bucket.properties, "amount"), priced)
    values = [other.value for other in earlier]
    if charge.model in {"percentage", "dynamic"} and any(value <= 0 for value in values):
        raise UnsettledError(f"a {charge.model} price in advance of values that are not positive")
    if charge.model == "dynamic":
        # a negative amount is not refunded
        return fee(max(Fraction(0), event.precise_cents) / subunits, billed)
    if charge.model == "percentage" and has_limits(bucket.properties):
        return fee(event_amounts(bucket.properties, values)[-1], billed)

    with_event = level_quantity(charge, total, earlier)
    before = total - billed
    # the events of a unique count are its units
    count = int(before) if charge.aggregation == "unique_count_agg" else len(earlier) - 1
    without_event = replace(with_event, units=before, priced=before, events_count=count)

    def price(quantity: Quantity) -> Fraction:
        # a level below zero costs nothing
        if quantity.units < 0:
            return Fraction(0)
        return amount(charge.model, bucket.properties, quantity, prorated=False, subunits=subunits)

    # the first flat fee falls due once, with the first event that does not leave the total below zero
    begun = before > 0 or any(
        sum(level_steps(charge, known_so_far(known[:number])), Fraction(0)) >= 0 for number in range(1, len(known))
    )
    with_it, without = price(with_event), price(without_event) if begun else Fraction(0)
    return fee(with_it - without, billed, with_it, without)
