"""Lines for usage: the events that were read, the units that they make, and what those cost."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import (
    TICK,
    Aggregator,
    Bucket,
    Charge,
    Event,
    Period,
    PricingUnit,
    Quantity,
    Reading,
    UnsettledError,
    advance_fee,
    amount,
    amount_cents,
    as_text,
    check_settled,
    custom_quantities,
    event_code,
    level_quantity,
    level_steps,
    midnight,
    numeric,
    rate_bucket,
)
from dagster_project.lib.explain._book import KnownBook, surrogate_key, utc
from dagster_project.lib.explain._events import LEVELS, Located, UsageReader, known_events
from dagster_project.lib.explain._explanation import EventRow, LineExplanation
from dagster_project.lib.explain._prices import price_sentences
from dagster_project.lib.explain._words import Money, bucket_text, local_text, text, units_text
from dagster_project.lib.words import plural

Row = dict[str, Any]
_AGGREGATIONS = {
    "count_agg": "counts the events with code {code}",
    "sum_agg": "adds up the property {field} of the events with code {code}",
    "max_agg": "takes the highest {field} of the events with code {code}",
    "latest_agg": "takes the last {field} of the events with code {code}",
    "unique_count_agg": "counts the different values of {field} that the events with code {code} leave present",
    "weighted_sum_agg": "weights the level of {field}, changed by the events with code {code}, by the seconds it held",
    "custom_agg": "computes the expression {expression} over the events with code {code}",
}
_ROUNDINGS = {"round": "rounds", "ceil": "rounds up", "floor": "rounds down"}


@dataclass(frozen=True)
class _Line:
    """A usage fee with everything that it was made from."""

    fee: Row
    moment: Row
    charge: Charge
    bucket: Bucket
    group: tuple[tuple[str, str | None], ...]
    period: Period
    readings: Sequence[Reading]
    places: Mapping[str, Located]
    money: Money
    unit: PricingUnit | None
    unit_code: str | None

    @property
    def in_unit(self) -> Money:
        """What the charge is priced in."""
        return Money(self.unit_code, self.unit.exponent) if self.unit and self.unit_code else self.money


def explain_usage(
    reader: UsageReader, book: KnownBook, moment: Row, fee: Row, money: Money, events_shown: int
) -> LineExplanation:
    """A charge in arrears, the renewal of one in advance, an event paid in advance, or usage at a threshold."""
    plan = {"plan_code": moment["plan_code"], "effective_at": moment["plan_effective_at"]}
    charge = book.charge(plan, fee["fee_code"], moment["full_started_at"])
    bucket = _bucket(charge, fee)
    group = tuple((json.loads(fee["group_values"]) if fee["group_values"] else {}).items())
    period = _period(book, moment, fee)
    known = known_events(reader, book, charge, moment, fee, period)
    readings = [
        reading
        for located in known
        if charge.takes(bucket, located.event)
        and bucket.group_of(located.event) == group
        and (reading := _reading(charge, located.event)) is not None
    ]
    unit_code = charge.row["applied_pricing_unit_code"]
    unit = None
    if unit_code:
        priced_in = book.dated("pricing_units", moment["usage_from_at"], pricing_unit_code=unit_code)
        exponent = 2 if priced_in is None or priced_in["exponent"] is None else int(priced_in["exponent"])
        unit = PricingUnit(exponent, Fraction(charge.row["pricing_unit_conversion_rate"]))
    line = _Line(
        fee, moment, charge, bucket, group, period, readings, {item.event.id: item for item in known}, money, unit,
        unit_code,
    )  # fmt: skip
    try:
        sentences, exact, units = _advance(line) if moment["reason"] == "advance_charge" else _period_usage(line)
    except UnsettledError as open_point:
        return _explanation(line, _opening(line), None, None, events_shown, str(open_point))
    cents = amount_cents(exact, money.exponent, unit)
    return _explanation(
        line, [*_opening(line), *sentences, *_rounding(line, exact, cents)], cents, units, events_shown, None
    )


def _bucket(charge: Charge, fee: Row) -> Bucket:
    """The bucket of a fee; of filters with equal values the one that the fee's key is made of, else the oldest."""
    wanted = json.loads(fee["filter_values"]) if fee["filter_values"] else None
    alike = [bucket for bucket in charge.buckets if (bucket.values or None) == wanted]
    for bucket in alike:
        position = 0 if bucket.values is None else bucket.index + 1
        group = fee["group_values"] or ""
        if surrogate_key(fee["moment_id"], "charge", fee["fee_code"], position, group) == fee["fee_id"]:
            return bucket
    return alike[0]


def _period(book: KnownBook, moment: Row, fee: Row) -> Period:
    # an event paid in advance does not know how its period will end: it has the whole one
    in_advance = moment["reason"] == "advance_charge"
    zone, full_days = ZoneInfo(moment["timezone"]), int(moment["usage_full_days_count"])
    stop = midnight(fee["to_date"] + timedelta(days=1), zone) if in_advance else utc(moment["usage_to_at"])
    return Period(
        start=utc(moment["usage_from_at"]),
        stop=stop - TICK,
        zone=zone,
        full_days=full_days,
        days=full_days if in_advance else int(moment["usage_days_count"]),
        first_day=moment["usage_from_date"],
        last_day=fee["to_date"] if in_advance else moment["usage_to_date"],
        is_upgraded=moment["ended_by"] == "upgrade",
        zones=book.zones(moment["external_customer_id"]),
    )


def _reading(charge: Charge, event: Event) -> Reading | None:
    return Reading(event, Fraction(1)) if charge.aggregation == "custom_agg" else charge.reading(event)


# ---- in arrears, renewals, thresholds --------------------------------------------------------------------------------


def _period_usage(line: _Line) -> tuple[list[str], Fraction, Fraction]:
    charge, period = line.charge, line.period
    if charge.in_advance:
        return _renewal(line)
    check_settled(charge)
    quantity = _quantity(line)
    rated = rate_bucket(charge, line.bucket, quantity, subunits=10**line.money.exponent)
    sentences = [*_count_sentences(line, quantity)]
    if charge.prorated:
        sentences.append(
            f"Prorated by the days that units count, of {period.full_days}: {units_text(quantity.priced)} to be priced."
        )
    if rated.exact == 0 and rated.units == 0 and (quantity.units or quantity.priced):
        return [*sentences, "Units or amount are below zero: both count as zero."], rated.exact, rated.units
    return (
        [*sentences, *price_sentences(charge, line.bucket, quantity, line.in_unit, rated.exact)],
        rated.exact,
        rated.units,
    )


def _quantity(line: _Line) -> Quantity:
    charge, period = line.charge, line.period
    key = (line.bucket.index, line.group)
    if charge.aggregation == "custom_agg":
        return _custom(line)
    carried: dict[Any, Fraction] = {}
    readings = list(line.readings)
    if charge.recurring and charge.aggregation not in LEVELS:
        before = [reading for reading in readings if reading.event.at < period.begin]
        carried[key] = sum((reading.value for reading in before), Fraction(0))
        readings = readings[len(before) :]
    return Aggregator(charge, period, carried).quantity(readings, key)


def _custom(line: _Line) -> Quantity:
    metric = line.charge.metric
    field = metric["field_name"]
    events = [
        (
            numeric(as_text(reading.event.properties.get(field))) if field else None,
            reading.event.at,
            {key: as_text(value) for key, value in reading.event.properties.items()},
        )
        for reading in line.readings
    ]
    units, own_amount = custom_quantities(metric["custom_units_expression"], metric["custom_amount_expression"], events)
    rounded = Aggregator(line.charge, line.period, {}).rounded(units)
    return Quantity(
        rounded, rounded, len(events), [reading.value for reading in line.readings], custom_amount=own_amount
    )


def _renewal(line: _Line) -> tuple[list[str], Fraction, Fraction]:
    """The full level at the end of the period, for the next one: docs/billing-rules.md, Prices."""
    level = sum(level_steps(line.charge, line.readings), Fraction(0))
    quantity = level_quantity(line.charge, level, line.readings)
    exact = amount(
        line.charge.model, line.bucket.properties, quantity, prorated=False, subunits=10**line.money.exponent
    )
    if min(level, exact) < 0:
        level = exact = Fraction(0)
    return (
        [
            f"Paid in advance: the level of {text(level)} at the end of the period is billed in full for the next one.",
            *price_sentences(_unprorated(line.charge), line.bucket, quantity, line.in_unit, exact),
        ],
        exact,
        level,
    )


def _unprorated(charge: Charge) -> Charge:
    return Charge({**charge.row, "prorated": False}, charge.metric, charge.buckets)


# ---- one event in advance --------------------------------------------------------------------------------------------


def _advance(line: _Line) -> tuple[list[str], Fraction, Fraction]:
    fee = advance_fee(
        line.charge, line.bucket, line.period, line.readings, line.period.last_day, 10**line.money.exponent
    )
    money = line.in_unit
    event = line.places[line.moment["request_id"]].event
    sentences = [
        f"Paid in advance: the event {event.id} of {local_text(event.at, line.period.zone)} changes the level by "
        f"{text(fee.step)} to {text(fee.total)}.",
        f"The highest level paid for in this period is now {text(fee.highest)}: {units_text(fee.billed)} to be billed.",
    ]
    if line.charge.prorated:
        left = (line.period.last_day - line.period.day_of(event.at)).days + 1
        sentences.append(f"{left} of {line.period.full_days} days are left: {units_text(fee.priced)} to be priced.")
    if fee.with_it is not None and fee.without is not None:
        before = fee.total - fee.billed
        sentences.append(
            f"{units_text(fee.total)} with the event: {money.major(fee.with_it)}; {units_text(before)} without it: "
            f"{money.major(fee.without)}. The difference is the price of the event: {money.major(fee.exact)}."
        )
    else:
        quantity = replace(level_quantity(line.charge, fee.total, line.readings), priced=fee.priced)
        sentences += (
            [f"The event itself costs {money.major(fee.exact)}."]
            if line.charge.model in {"percentage", "dynamic"}
            else price_sentences(_unprorated(line.charge), line.bucket, quantity, money, fee.exact)
        )
    return sentences, fee.exact, fee.units


# ---- words -----------------------------------------------------------------------------------------------------------


def _opening(line: _Line) -> list[str]:
    metric, period = line.charge.metric, line.period
    words = _AGGREGATIONS[line.charge.aggregation].format(
        code=event_code(metric), field=metric["field_name"], expression=metric["custom_units_expression"]
    )
    found = [f"Metric {metric['code']} {words}{' and keeps its level over periods' if line.charge.recurring else ''}."]
    which = bucket_text(line.bucket.values, dict(line.group), filtered=len(line.charge.buckets) > 1)
    if which:
        found.append(f"This line: usage of which {which}.")
    known_to = line.moment["finalizes_at"] if line.moment["reason"] != "progressive_billing" else None
    until = (
        f"as known before {local_text(utc(known_to), period.zone)}"
        if known_to is not None
        else f"up to the crossing of the threshold at {local_text(utc(line.moment['billing_at']), period.zone)}"
    )
    if line.moment["reason"] != "advance_charge":
        found.append(f"Usage of {period.first_day} to {period.last_day}, {until}.")
    return found


def _count_sentences(line: _Line, quantity: Quantity) -> list[str]:
    before = sum(reading.event.at < line.period.begin for reading in line.readings)
    carried = f", {before:,} of them before the period" if before else ""
    sentence = f"{plural(len(line.readings), 'event')}{carried}: {units_text(quantity.units)}"
    metric = line.charge.metric
    if metric.get("rounding_function"):
        precision = int(metric["rounding_precision"] or 0)
        places = plural(precision, "decimal") if precision >= 0 else f"10^{-precision}"
        sentence += f" (the metric {_ROUNDINGS[metric['rounding_function']]} to {places})"
    return [f"{sentence}."]


def _rounding(line: _Line, exact: Fraction, cents: int) -> list[str]:
    money = line.money
    if line.unit is not None:
        rounded = amount_cents(exact, line.unit.exponent)
        converted = Fraction(rounded, 10**line.unit.exponent) * line.unit.conversion_rate
        return [
            f"{line.in_unit.cents(rounded)} x {text(line.unit.conversion_rate)} = {money.rounded(converted, cents)}."
        ]
    if exact * 10**money.exponent == cents:
        return []
    return [f"{money.rounded(exact, cents)}, half away from zero."]


def _explanation(
    line: _Line,
    sentences: Sequence[str],
    cents: int | None,
    units: Fraction | None,
    events_shown: int,
    open_point: str | None,
) -> LineExplanation:
    read = line.readings
    if line.moment["reason"] == "advance_charge":
        read = [reading for reading in read if reading.event.id == line.moment["request_id"]]
    shown = units if units is not None and (units * 10**12).denominator == 1 else None
    return LineExplanation(
        int(line.fee["line_number"]),
        line.fee,
        tuple(sentences),
        tuple(_event_row(line, reading) for reading in read[:events_shown]),
        len(read),
        cents,
        shown,
        open_point,
    )


def _event_row(line: _Line, reading: Reading) -> EventRow:
    place = line.places[reading.event.id]
    value = text(reading.value)
    if line.charge.aggregation == "unique_count_agg":
        item = "the missing value" if reading.item is None else reading.item or "the empty value"
        value = f"{'adds' if reading.adds else 'removes'} {item}"
    if line.charge.model == "dynamic":
        value += f", amount {line.money.cents(reading.event.precise_cents)}"
    return EventRow(
        reading.event.id,
        reading.event.at.replace(tzinfo=None),
        place.file_path,
        None if place.line_number is None else int(place.line_number),
        value,
    )
