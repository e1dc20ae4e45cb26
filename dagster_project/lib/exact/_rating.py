"""From units to amounts: rating.md sections 5, 7 and 12."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from dagster_project.lib.exact._numbers import UnsettledError, half_away, up
from dagster_project.lib.exact._prices import Quantity, amount, event_amounts, has_limits, number
from dagster_project.lib.exact._time import Period, local_date
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
    """The amount of a bucket; units and amount are zero together when either is negative (section 5)."""
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


def advance_fee(
    charge: Charge, bucket: Bucket, period: Period, readings: Sequence[Reading], last_day: date, subunits: int
) -> AdvanceFee:
    """The fee of the event that became known last of `readings`, those of its bucket and group known with it."""
    known = sorted(
        zip(readings, level_steps(charge, readings), strict=True),
        key=lambda pair: (max(pair[0].event.at, pair[0].event.known_at), pair[0].event.rank),
    )
    reading, step = known[-1]
    event = reading.event
    current = highest = before = Fraction(0)
    for other, change in known:
        if period.holds(other.event.at):
            current += change
            before, highest = highest, max(highest, current)
    billed = highest - before
    # an event that became known after later ones counts for itself: their fees stay as they were made
    earlier = sorted(
        ((other, change) for other, change in known if other.event.rank <= event.rank), key=lambda p: p[0].event.rank
    )
    total = sum((change for _, change in earlier), Fraction(0))
    units = billed or max(Fraction(0), step)

    def fee(exact: Fraction, priced: Fraction, *prices: Fraction) -> AdvanceFee:
        return AdvanceFee(exact, units, step, total, billed, highest, priced, *prices)

    if charge.prorated:
        left = (last_day - local_date(event.at, period.zone)).days + 1
        priced = up(billed * Fraction(left, period.full_days), 5)
        return fee(priced * number(bucket.properties, "amount"), priced)
    values = [other.value for other, _ in earlier]
    if charge.model in {"percentage", "dynamic"} and any(value <= 0 for value in values):
        raise UnsettledError(f"a {charge.model} price in advance of values that are not positive")
    if charge.model == "dynamic":
        return fee(event.precise_cents / subunits, billed)
    if charge.model == "percentage" and has_limits(bucket.properties):
        return fee(event_amounts(bucket.properties, values)[-1], billed)
    if total - billed < 0:
        raise UnsettledError("a level below zero in advance")

    def price(of_units: Fraction, count: int) -> Fraction:
        return amount(
            charge.model,
            bucket.properties,
            Quantity(of_units, of_units, count, values),
            prorated=False,
            subunits=subunits,
        )

    with_it, without = price(total, len(values)), price(total - billed, len(values) - 1)
    if charge.model.startswith("graduated"):
        if total == billed:
            without = Fraction(0)
        if total == 0 and with_it:
            raise UnsettledError("a flat fee in advance at a level of 0")
    return fee(with_it - without, billed, with_it, without)
