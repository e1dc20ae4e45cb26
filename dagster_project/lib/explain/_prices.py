"""What units cost, in sentences: one for each thing that a price model does (docs/billing-rules.md, Prices)."""

from fractions import Fraction

from dagster_project.lib.exact import (
    Bucket,
    Charge,
    Quantity,
    Range,
    allowance,
    event_amounts,
    graduated_ranges,
    has_limits,
    number,
    positions,
    ranges,
    sections,
    up,
    visited,
    volume_range,
)
from dagster_project.lib.explain._words import Money, text, units_text
from dagster_project.lib.words import plural


def price_sentences(charge: Charge, bucket: Bucket, quantity: Quantity, money: Money, exact: Fraction) -> list[str]:
    """How the price of the units came about; `money` is the currency or the charge's pricing unit."""
    properties, units = bucket.properties, quantity.priced
    match charge.model:
        case "standard":
            price = number(properties, "amount")
            return [f"Standard price: {text(units)} x {money.major(price)} = {money.major(exact)}."]
        case "graduated" if charge.prorated:
            return _prorated(graduated_ranges(properties), quantity, money, exact)
        case "graduated":
            found = graduated_ranges(properties)
            return _sections("Graduated price", sections(found, units, all_may_touch=True), money, exact, percent=False)
        case "graduated_percentage":
            found = ranges(properties, "graduated_percentage_ranges", "rate", per=100)
            parts = sections(found, units, all_may_touch=False)
            return _sections("Graduated percentage", parts, money, exact, percent=True)
        case "package":
            return [_package(properties, units, money, exact)]
        case "volume":
            found = ranges(properties, "volume_ranges", "per_unit_amount")
            return _volume(found, quantity.units if charge.prorated else units, units, money, exact)
        case "percentage":
            return _percentage(bucket, quantity, money, exact)
        case "dynamic" if units == 0:
            return ["The events bring their own amounts, but their units add up to 0: nothing is charged."]
        case "dynamic":
            return [f"The events bring their own amounts, in all {money.major(exact)}."]
    return [f"The metric's own amount expression gives {money.major(exact)}."]


def _span(item: Range) -> str:
    return f"{text(item.begin)} and above" if item.end is None else f"{text(item.begin)} to {text(item.end)}"


def _sections(
    name: str, parts: list[tuple[Range, Fraction]], money: Money, exact: Fraction, *, percent: bool
) -> list[str]:
    found = [f"{name}, range by range:"]
    for item, inside in parts:
        price = f"{text(item.price * 100)} %" if percent else money.major(item.price)
        flat = f" + {money.major(item.flat)} flat" if item.flat else ""
        found.append(
            f"  {_span(item)}: {text(inside)} x {price}{flat} = {money.major(inside * item.price + item.flat)}"
        )
    return [*found, f"  in all {money.major(exact)}."]


def _prorated(found: list[Range], quantity: Quantity, money: Money, exact: Fraction) -> list[str]:
    if quantity.units < 0:
        return ["The level is below zero: nothing is charged."]
    if quantity.priced == 0:
        return [f"No unit counts in this period: only the first flat fee of {money.major(found[0].flat)} is due."]
    level = highest = Fraction(0)
    for change, _ in quantity.steps:
        level += change
        highest = max(highest, level)
    reached = visited(found, highest)
    sentences = [
        "Graduated price of prorated units: each has the range of its position and the weight of its days "
        f"(highest level {text(highest)}):"
    ]
    for item, inside in positions(found, quantity.steps):
        if inside or (item in reached and item.flat):
            flat = f" + {money.major(item.flat)} flat" if item in reached and item.flat else ""
            sentences.append(f"  {_span(item)}: {text(inside)} x {money.major(item.price)}{flat}")
    return [*sentences, f"  in all {money.major(exact)}."]


def _package(properties: object, units: Fraction, money: Money, exact: Fraction) -> str:
    assert isinstance(properties, dict)
    size, free, price = (number(properties, key) for key in ("package_size", "free_units", "amount"))
    paid = max(Fraction(0), units - free)
    less = f" less {text(free)} free = {text(paid)}" if free else ""
    packages = up(paid / size)
    return (
        f"Packages of {text(size)}: {units_text(units)}{less} begin {plural(int(packages), 'package')} "
        f"of {money.major(price)} = {money.major(exact)}."
    )


def _volume(found: list[Range], chosen_by: Fraction, units: Fraction, money: Money, exact: Fraction) -> list[str]:
    item = volume_range(found, chosen_by)
    if item is None:
        return ["The level is below zero: nothing is charged."]
    flat = f" + {money.major(item.flat)} flat" if item.flat else ""
    return [
        f"Volume price: {units_text(chosen_by)} fall in the range {_span(item)}, which prices all of them: "
        f"{text(units)} x {money.major(item.price)}{flat} = {money.major(exact)}."
    ]


def _percentage(bucket: Bucket, quantity: Quantity, money: Money, exact: Fraction) -> list[str]:
    properties = bucket.properties
    rate, fixed = number(properties, "rate"), number(properties, "fixed_amount")
    found = []
    if has_limits(properties):
        limits = []
        if properties.get("per_transaction_min_amount") is not None:
            limits.append(f"at least {money.major(number(properties, 'per_transaction_min_amount'))}")
        if properties.get("per_transaction_max_amount") is not None:
            limits.append(f"at most {money.major(number(properties, 'per_transaction_max_amount'))}")
        each = event_amounts(properties, quantity.values)
        free = sum(amount == 0 for amount in each)
        found.append(
            f"Each event pays {text(rate)} % of its value"
            + (f" plus {money.major(fixed)}" if fixed else "")
            + f", {' and '.join(limits)}; {plural(len(each) - free, 'event')} paid"
            + (f", {free:,} paid nothing" if free else "")
            + f": in all {money.major(exact)}."
        )
        return found
    free_units, paying = allowance(properties, quantity)
    base = max(Fraction(0), quantity.priced - free_units)
    less = f" less {text(free_units)} free = {text(base)}" if free_units else ""
    sentence = f"Percentage: {text(quantity.priced)}{less}, {text(rate)} % of it is {money.major(base * rate / 100)}"
    if fixed:
        sentence += f"; {plural(paying, 'event')} at {money.major(fixed)} each add {money.major(paying * fixed)}"
    return [f"{sentence}; in all {money.major(exact)}."]
