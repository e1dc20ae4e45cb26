"""Charge models with exact fractions: docs/billing-rules.md, Prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact._numbers import UnsettledError, up

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Quantity:
    """What a bucket's model is applied to.

    `units` are the full ones, `priced` those that are priced (they differ in a prorated charge), `values` those of the
    events in time order, `steps` the changes of level with their weight per unit (prorated graduated), `custom_amount`
    what a custom metric's own expression gives, `is_count` whether the values are those of a count or unique count.
    """

    units: Fraction
    priced: Fraction
    events_count: int
    values: Sequence[Fraction] = ()
    precise_cents: Fraction = Fraction(0)
    steps: Sequence[tuple[Fraction, Fraction]] = ()
    custom_amount: Fraction | None = None
    is_count: bool = False


@dataclass(frozen=True)
class Range:
    """A range of a graduated or volume price; `below` is the upper bound of the range before."""

    begin: Fraction
    end: Fraction | None
    below: Fraction | None
    price: Fraction
    flat: Fraction


def number(properties: Properties, key: str) -> Fraction:
    """A property that counts as 0 when it is missing."""
    value = properties.get(key)
    return Fraction(0) if value is None else Fraction(str(value))


def ranges(properties: Properties, key: str, price: str, per: int = 1) -> list[Range]:
    """The ranges of a price in ascending order."""
    found: list[Range] = []
    for item in sorted(properties[key], key=lambda item: Fraction(str(item["from_value"]))):
        end = item.get("to_value")
        found.append(
            Range(
                begin=number(item, "from_value"),
                end=None if end is None else Fraction(str(end)),
                below=found[-1].end if found else None,
                price=number(item, price) / per,
                flat=number(item, "flat_amount"),
            )
        )
    return found


def graduated_ranges(properties: Properties) -> list[Range]:
    return ranges(properties, "graduated_ranges", "per_unit_amount")


def amount(model: str, properties: Properties, q: Quantity, *, prorated: bool, subunits: int) -> Fraction:
    """The exact amount of a bucket in currency units. Raises UnsettledError where the rules leave it open."""
    if model == "standard":
        return q.priced * number(properties, "amount")
    if model == "graduated":
        if prorated:
            return prorated_graduated(graduated_ranges(properties), q)
        return graduated(graduated_ranges(properties), q.priced, all_may_touch=True)
    if model == "graduated_percentage":
        found = ranges(properties, "graduated_percentage_ranges", "rate", per=100)
        return graduated(found, q.priced, all_may_touch=False)
    if model == "package":
        return package(properties, q.priced)
    if model == "volume":
        found = ranges(properties, "volume_ranges", "per_unit_amount")
        return volume(found, q.units if prorated else q.priced, q.priced)
    if model == "percentage":
        return percentage(properties, q)
    if model == "dynamic":
        return Fraction(0) if q.priced == 0 else q.precise_cents / subunits
    if model == "custom" and q.custom_amount is not None:
        return q.custom_amount
    raise UnsettledError(f"a {model} price")


def visited(found: Sequence[Range], units: Fraction) -> list[Range]:
    """The ranges up to the first that holds the units: its upper bound belongs to it."""
    walk = []
    for item in found:
        walk.append(item)
        if item.end is None or item.end >= units:
            break
    return walk


def sections(found: Sequence[Range], units: Fraction, *, all_may_touch: bool) -> list[tuple[Range, Fraction]]:
    """The ranges that units reach, with the units in each."""
    touching = all_may_touch and all(item.begin == item.below for item in found[1:])
    parts = []
    for item in visited(found, units):
        top = units if item.end is None else min(units, item.end)
        shared_bound = 0 if item.begin == 0 or touching else 1
        parts.append((item, top - item.begin + shared_bound))
    return parts


def graduated(found: Sequence[Range], units: Fraction, *, all_may_touch: bool) -> Fraction:
    """Each range by its own price for the units in it, and the flat amount of every range that is reached."""
    parts = sections(found, units, all_may_touch=all_may_touch)
    return sum((inside * item.price + item.flat for item, inside in parts), Fraction(0))


def package(properties: Properties, units: Fraction) -> Fraction:
    """A price for each package begun, after the free units."""
    paid = units - number(properties, "free_units")
    if paid <= 0:
        return Fraction(0)
    return up(paid / number(properties, "package_size")) * number(properties, "amount")


def volume_range(found: Sequence[Range], chosen_by: Fraction) -> Range | None:
    """The range that prices all units."""
    for item in found:
        if item.begin <= up(chosen_by) and (item.end is None or chosen_by <= item.end):
            return item
    return None


def volume(found: Sequence[Range], chosen_by: Fraction, units: Fraction) -> Fraction:
    """One range prices all units. Raises UnsettledError where none holds them."""
    item = volume_range(found, chosen_by)
    if item is not None:
        return units * item.price + item.flat
    if chosen_by < 0:
        return chosen_by
    raise UnsettledError("no volume range holds the units")


def has_limits(properties: Properties) -> bool:
    """Whether each event has a least or a most that it pays."""
    return bool(properties.get("per_transaction_min_amount") or properties.get("per_transaction_max_amount"))


def allowance(properties: Properties, q: Quantity) -> tuple[Fraction, int]:
    """The free units, and the events that pay the fixed amount."""
    free_events = int(number(properties, "free_units_per_events"))
    free_total = number(properties, "free_units_per_total_aggregation")
    totals: list[Fraction] = []
    running = Fraction(0)
    for value in q.values:
        if free_events and len(totals) == free_events and not q.is_count:
            break
        if not free_events and (not free_total or running > free_total):
            break
        running += value
        totals.append(running)
    free_units = Fraction(0)
    if free_events and free_events < len(totals):
        # a count keeps all of its totals: the free events end it, however small the free total is
        free_units = totals[free_events - 1]
    elif totals and totals[-1] != 0:
        free_units = totals[-1] if not free_total or totals[-1] <= free_total else free_total
    limits = [free_events, sum(total < free_total for total in totals) if free_total else 0]
    spared = min((limit for limit in limits if limit), default=0)
    return free_units, max(0, q.events_count - spared) if q.priced else 0


def percentage(properties: Properties, q: Quantity) -> Fraction:
    """A percentage of what is not free and a fixed amount for each event that pays, or event by event under limits."""
    if has_limits(properties):
        return sum(event_amounts(properties, q.values), Fraction(0))
    free_units, paying = allowance(properties, q)
    rate, fixed = number(properties, "rate") / 100, number(properties, "fixed_amount")
    return max(Fraction(0), q.priced - free_units) * rate + paying * fixed


def event_amounts(properties: Properties, values: Sequence[Fraction]) -> list[Fraction]:
    """What each event pays under limits per event; a free one pays nothing."""
    rate, fixed = number(properties, "rate") / 100, number(properties, "fixed_amount")
    events_left = int(number(properties, "free_units_per_events"))
    total_left = number(properties, "free_units_per_total_aggregation")
    lowest, highest = properties.get("per_transaction_min_amount"), properties.get("per_transaction_max_amount")
    amounts = []
    for value in values:
        rest = value
        if events_left > 0 or total_left > 0:
            events_left -= 1
            if total_left == 0 or total_left > value:
                total_left = total_left - value if total_left else total_left
                amounts.append(Fraction(0))
                continue
            rest, total_left, events_left = value - total_left, Fraction(0), 0
        price = rest * rate + fixed
        if lowest is not None:
            price = max(price, Fraction(lowest))
        if highest is not None:
            price = min(price, Fraction(highest))
        amounts.append(price)
    return amounts


def prorated_graduated(found: Sequence[Range], q: Quantity) -> Fraction:
    """Each position of a unit has the price of the range that contains it, weighted by its days.

    Raises UnsettledError where a position lies between two ranges.
    """
    if q.units < 0:
        return Fraction(0)
    if q.priced == 0:
        return found[0].flat
    integer_style = not all(item.begin == item.below for item in found[1:])
    level = highest = Fraction(0)
    for change, _ in q.steps:
        if integer_style and change.denominator != 1:
            raise UnsettledError("fractional positions between integer-style bounds")
        level += change
        highest = max(highest, level)
    money = sum((inside * item.price for item, inside in positions(found, q.steps)), Fraction(0))
    return max(Fraction(0), money) + sum((item.flat for item in visited(found, highest)), Fraction(0))


def positions(found: Sequence[Range], steps: Sequence[tuple[Fraction, Fraction]]) -> list[tuple[Range, Fraction]]:
    """The weighted units that changes of level put into each range, less those that they took out again."""
    inside = [Fraction(0)] * len(found)
    level = Fraction(0)
    for change, weight in steps:
        low, high = min(level, level + change), max(level, level + change)
        for i, item in enumerate(found):
            begin = low if item.below is None else max(low, item.below)
            end = high if item.end is None else min(high, item.end)
            units = max(Fraction(0), end - begin) * weight
            inside[i] += units if change > 0 else -units
        level += change
    return list(zip(found, inside, strict=True))
