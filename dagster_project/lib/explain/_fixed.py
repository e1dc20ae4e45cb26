"""Fixed charges: units that are set, not measured (docs/billing-rules.md, Life cycle)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import (
    Bucket,
    Charge,
    Quantity,
    amount,
    amount_cents,
    full_period,
    half_away,
    local_date,
    midnight,
)
from dagster_project.lib.explain._book import KnownBook, utc, written_ranges
from dagster_project.lib.explain._explanation import LineExplanation
from dagster_project.lib.explain._prices import price_sentences
from dagster_project.lib.explain._words import Money, text, units_text
from dagster_project.lib.warehouse import Session, named_rows

Row = dict[str, Any]
_LONG = {"semiannual", "yearly"}


@dataclass(frozen=True)
class _Stretch:
    """Units from a day on; `since` is when they were set."""

    since: datetime
    day: date
    units: Fraction


def explain_fixed_charge(session: Session, book: KnownBook, moment: Row, fee: Row, money: Money) -> LineExplanation:
    """The units of a fixed charge for the days that the line covers, priced, less what an upgraded plan paid."""
    zone = ZoneInfo(moment["timezone"])
    first = _period(book, moment, fee["from_date"], zone)
    start = max(midnight(first[0], zone), utc(moment["row_started_at"]))
    plan, charge = _version(book, moment, fee, start)
    full_days = (first[1] - first[0]).days + 1
    stretches = _stretches(book, moment, fee, charge, start, first, zone)
    units, priced, sentences = _units(moment, fee, charge, stretches, full_days)
    as_charge, bucket = _as_charge(book, plan, charge)
    exact = amount(charge["charge_model"], bucket.properties, Quantity(units, priced, 0), prorated=False, subunits=1)
    if moment["reason"] == "fixed_charge_units" and units == 0:
        exact = Fraction(0)
    sentences += price_sentences(as_charge, bucket, Quantity(units, priced, 0), money, exact)
    gross = amount_cents(exact, money.exponent)
    if exact * 10**money.exponent != gross:
        sentences.append(f"{money.rounded(exact, gross)}, half away from zero.")
    paid = _paid_before(session, book, moment, fee, charge)
    cents = gross
    if paid is not None:
        cents = max(gross - paid, 0)
        sentences.append(
            f"The plan before the upgrade had been paid {money.cents(paid)} for these days: "
            f"{money.cents(gross)} - {money.cents(paid)} leaves {money.cents(cents)}."
        )
    return LineExplanation(int(fee["line_number"]), fee, tuple(sentences), (), 0, cents, units)


def _subscription_rows(book: KnownBook, moment: Row) -> list[Row]:
    rows = book.find("subscriptions", external_subscription_id=moment["external_subscription_id"])
    return sorted(rows, key=lambda row: row["created_at"])


def _period(book: KnownBook, moment: Row, day: date, zone: ZoneInfo) -> tuple[date, date]:
    """The full period of the fixed charges that a day lies in; a plan change keeps the anchor of its first row."""
    rows = _subscription_rows(book, moment)
    own = next(i for i, row in enumerate(rows) if row["created_at"] == moment["subscription_created_at"])
    oldest = own
    if moment["has_previous_row"]:
        while oldest > 0 and not (
            rows[oldest - 1]["terminated_at"] and rows[oldest - 1]["terminated_at"] < rows[oldest]["created_at"]
        ):
            oldest -= 1
    anchor = local_date(utc(rows[oldest]["subscription_at"]), zone)
    plan = max(book.find("plans", plan_code=moment["plan_code"]), key=lambda row: row["effective_at"])
    interval = plan["plan_interval"]
    if plan["bill_fixed_charges_monthly"] and interval in _LONG:
        interval = "monthly"
    return full_period(day, interval, None if rows[oldest]["billing_time"] == "calendar" else anchor)


def _version(book: KnownBook, moment: Row, fee: Row, start: datetime) -> tuple[Row, Row]:
    """The plan version in force when the period began, and the fixed charge in it."""
    at = start.replace(tzinfo=None)
    found = next(
        rows
        for plan_code in (moment["fee_plan_code"], moment["plan_code"])
        if (rows := book.find("fixed_charges", plan_code=plan_code, fixed_charge_code=fee["fee_code"]))
    )
    found = sorted(found, key=lambda row: row["effective_at"])
    charge = next((row for row in reversed(found) if row["effective_at"] <= at), found[0])
    return {"plan_code": charge["plan_code"], "effective_at": charge["effective_at"]}, charge


def _stretches(
    book: KnownBook, moment: Row, fee: Row, charge: Row, start: datetime, period: tuple[date, date], zone: ZoneInfo
) -> list[_Stretch]:
    """The units in the order in which they were set, of those before the period only the last."""
    billed_at = utc(moment["billing_at"])
    if charge["is_pay_in_advance"]:
        until = max(start, billed_at)
    else:
        until = midnight(period[1] + timedelta(days=1), zone) - timedelta(microseconds=1)
        if moment["ended_by"] is not None:
            until = min(until, billed_at)
    changes = sorted(
        book.find(
            "subscription_fixed_charge_units",
            external_subscription_id=moment["external_subscription_id"],
            created_at=moment["subscription_created_at"],
            fixed_charge_code=fee["fee_code"],
        ),
        key=lambda row: row["effective_at"],
    )
    found = [_Stretch(start, fee["from_date"], Fraction(charge["units"] or 0))]
    for change in changes:
        at, units = utc(change["effective_at"]), Fraction(change["units"])
        if at > until:
            break
        if at <= start:
            found = [_Stretch(start, fee["from_date"], units)]
        else:
            found.append(_Stretch(at, local_date(at, zone), units))
    return found


def _units(
    moment: Row, fee: Row, charge: Row, stretches: list[_Stretch], full_days: int
) -> tuple[Fraction, Fraction, list[str]]:
    """The units that are shown, those that are priced, and why."""
    units = stretches[-1].units
    days = (fee["to_date"] - fee["from_date"]).days + 1
    when = "in advance" if charge["is_pay_in_advance"] else "in arrears"
    sentences = [f"Fixed charge {fee['fee_code']}, {fee['from_date']} to {fee['to_date']}, paid {when}."]
    if moment["reason"] == "fixed_charge_units":
        before = max(s.units for s in stretches if s.since < utc(moment["billing_at"]))
        sentences.append(
            f"The units were changed to {text(units)}; {text(before)} had been paid for in this period, what is above "
            "is billed."
        )
        units = max(units - before, Fraction(0))
        days = min(max((fee["to_date"] - moment["billing_at"].date()).days + 1, 0), full_days)
    else:
        sentences.append(f"Units: {text(units)}.")
    if not charge["is_prorated"]:
        return units, units, sentences
    if charge["is_pay_in_advance"]:
        priced = half_away(units * days / full_days, 6)
        sentences.append(f"Prorated: {text(units)} x {days} / {full_days} days = {units_text(priced)} to be priced.")
        return units, priced, sentences
    priced = Fraction(0)
    ends = [stretch.day for stretch in stretches[1:]] + [fee["to_date"] + timedelta(days=1)]
    for stretch, end in zip(stretches, ends, strict=True):
        held = (end - stretch.day).days
        part = half_away(stretch.units * held / full_days, 6)
        sentences.append(f"  {units_text(stretch.units)} for {held} of {full_days} days: {text(part)}")
        priced += part
    sentences.append(f"Prorated, {units_text(priced)} to be priced.")
    return units, priced, sentences


def _as_charge(book: KnownBook, plan: Row, charge: Row) -> tuple[Charge, Bucket]:
    ranges = written_ranges(book.find("fixed_charge_ranges", **plan, fixed_charge_code=charge["fixed_charge_code"]))
    properties = {"amount": charge["amount"], "graduated_ranges": ranges, "volume_ranges": ranges}
    bucket = Bucket(0, None, {}, properties)
    return Charge({"code": charge["fixed_charge_code"], "charge_model": charge["charge_model"]}, {}, [bucket]), bucket


def _paid_before(session: Session, book: KnownBook, moment: Row, fee: Row, charge: Row) -> int | None:
    """What the row before an upgrade was paid in advance for the same add-on and the days from the change on."""
    if moment["reason"] != "start" or not (charge["is_pay_in_advance"] and charge["is_prorated"]):
        return None
    rows = _subscription_rows(book, moment)
    own = next(i for i, row in enumerate(rows) if row["created_at"] == moment["subscription_created_at"])
    siblings = [
        row
        for row in book.find("fixed_charges", plan_code=charge["plan_code"], effective_at=charge["effective_at"])
        if row["add_on_code"] == charge["add_on_code"] and row["is_pay_in_advance"] and row["is_prorated"]
    ]
    if not moment["has_previous_row"] or own == 0 or min(siblings, key=lambda row: row["position"]) != charge:
        return None
    ledger = session.schema("ledger")
    columns = ("fee_code", "from_date", "to_date", "amount_cents", "plan_code")
    key = [moment["organization_id"], moment["external_subscription_id"], rows[own - 1]["created_at"]]
    billed = named_rows(
        session,
        f"select f.fee_code, f.from_date, f.to_date, f.amount_cents, m.plan_code from {ledger}.ledger_fees f "
        f"inner join {ledger}.ledger_moments m on m.moment_id = f.moment_id and m.invoice_id = f.invoice_id "
        "where f.organization_id = ? and f.external_subscription_id = ? and m.subscription_created_at = ? "
        "and f.fee_type = 'fixed_charge' and f.from_date <= ? and f.to_date >= ?",
        columns,
        [*key, fee["from_date"], fee["from_date"]],
    )
    paid = [
        row
        for row in billed
        if any(
            old["add_on_code"] == charge["add_on_code"] and old["is_pay_in_advance"]
            for old in book.find("fixed_charges", plan_code=row["plan_code"], fixed_charge_code=row["fee_code"])
        )
    ]
    if not paid:
        return None
    return sum(
        int(
            half_away(
                Fraction(int(row["amount_cents"]))
                * ((row["to_date"] - fee["from_date"]).days + 1)
                / ((row["to_date"] - row["from_date"]).days + 1)
            )
        )
        for row in paid
    )
