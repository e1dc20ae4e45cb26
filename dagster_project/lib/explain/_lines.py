"""Lines that no events are read for: plan fees, minimums, commitments, what was asked for."""

import math
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact import half_away
from dagster_project.lib.explain._book import KnownBook
from dagster_project.lib.explain._explanation import LineExplanation
from dagster_project.lib.explain._words import Money, text
from dagster_project.lib.warehouse import Session, named_rows

Row = dict[str, Any]
_REASONS = {
    "renewal": "The period is over: the subscription is billed for it",
    "start": "The subscription begins, and what is paid in advance is billed at once",
    "trial_end": "The trial is over: the plan, paid in advance, is billed from this day on",
    "upgrade": "The subscription changes to another plan at once",
    "downgrade": "The subscription changes to a smaller plan at the end of its period",
    "termination": "The subscription ends",
    "resume": "A pause of the subscription is over: what is paid in advance is billed from this day on",
    "fixed_charge_units": "The units of a fixed charge paid in advance were raised",
}

_EVERY = {
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "semiannual": "half year",
    "yearly": "year",
}


def explanation(fee: Row, sentences: list[str], exact_cents: Fraction, money: Money) -> LineExplanation:
    """A line of which the exact amount in minor units is known."""
    cents = int(half_away(exact_cents))
    if exact_cents != cents:
        sentences = [*sentences, f"{money.rounded(exact_cents / 10**money.exponent, cents)}, half away from zero."]
    return LineExplanation(int(fee["line_number"]), fee, tuple(sentences), (), 0, cents)


def share_text(amount: str, part: int, whole: int, unit: str, result: str) -> str:
    """A part of a whole, or all of it."""
    return f"{amount} x {part} / {whole} {unit} = {result}" if part != whole else f"{amount} for all {whole} {unit}"


def _version_text(plan: Row) -> str:
    """Since when a version is in force; the first one always was."""
    return f" (version of {plan['effective_at']:%Y-%m-%d})" if plan["effective_at"].year > 1 else ""


def explain_plan_fee(book: KnownBook, moment: Row, fee: Row, money: Money) -> LineExplanation:
    """The plan's amount by the days that are billed: docs/billing-rules.md, Life cycle."""
    [plan] = book.find("plans", plan_code=moment["fee_plan_code"], effective_at=moment["fee_plan_effective_at"])
    days, full = int(moment["days_count"]), int(moment["full_days_count"])
    exact = Fraction(int(plan["amount_cents"])) * days / full
    when = "in advance" if plan["is_pay_in_advance"] else "in arrears"
    sentences = [
        f"{_REASONS[moment['reason']]}.",
        f"Plan {fee['fee_code']}, {plan['plan_interval']}, paid {when}: {money.cents(plan['amount_cents'])} a period"
        f"{_version_text(plan)}.",
    ]
    span = (fee["to_date"] - fee["from_date"]).days + 1
    if days != span:
        upgraded = moment["ended_by"] == "upgrade"
        spared = "the day of the change belongs to the new plan" if upgraded else "the others are free"
        sentences.append(
            f"{days} of the {span} days from {fee['from_date']} to {fee['to_date']} are billed ({spared})."
        )
    sentences.append(
        f"{fee['from_date']} to {fee['to_date']}: "
        f"{share_text(money.cents(plan['amount_cents']), days, full, 'days', money.cents(exact))}."
    )
    return explanation(fee, sentences, exact, money)


def explain_true_up(book: KnownBook, moment: Row, fee: Row, money: Money, fees: list[Row]) -> LineExplanation:
    """What a charge's fees lack of its minimum: docs/billing-rules.md, Prices."""
    [charge] = book.find(
        "charges",
        plan_code=moment["plan_code"],
        effective_at=moment["plan_effective_at"],
        charge_code=fee["fee_code"],
    )
    days, full = int(moment["usage_days_count"]), int(moment["usage_full_days_count"])
    due = Fraction(int(charge["min_amount_cents"])) * days / full
    own = [
        other
        for other in fees
        if other["moment_id"] == fee["moment_id"] and other["fee_type"] == "charge"
        if other["fee_code"] == fee["fee_code"]
    ]
    charged = sum(int(other["amount_cents"]) for other in own)
    minimum = share_text(money.cents(charge["min_amount_cents"]), days, full, "days", money.cents(due))
    return explanation(
        fee,
        [
            f"The charge {fee['fee_code']} has a minimum a period: {minimum}.",
            f"Its usage came to {money.cents(charged)}; the line adds what is missing: "
            f"{money.cents(due)} - {money.cents(charged)} = {money.cents(due - charged)}.",
        ],
        due - charged,
        money,
    )


def explain_commitment(session: Session, book: KnownBook, moment: Row, fee: Row, money: Money) -> LineExplanation:
    """What the fees of a period lack of the plan's minimum commitment: docs/billing-rules.md, Life cycle."""
    [plan] = book.find(
        "plans", plan_code=moment["commitment_plan_code"], effective_at=moment["commitment_plan_effective_at"]
    )
    days, full = int(moment["commitment_days_count"]), int(moment["commitment_full_days_count"])
    promised = Fraction(int(plan["minimum_commitment_amount_cents"])) * days / full
    due = int(half_away(promised))
    charges = book.find("charges", plan_code=moment["plan_code"], effective_at=moment["plan_effective_at"])
    has_standalone = any(charge["is_invoiceable"] is False for charge in charges)
    counted = _counted_fees(session, book, moment, has_standalone=has_standalone)
    total = sum(int(other["amount_cents"]) for other in counted)
    kinds = sorted({str(other["fee_type"]).replace("_", " ") for other in counted})
    minimum = share_text(
        money.cents(plan["minimum_commitment_amount_cents"]), days, full, "days",
        money.rounded(promised / 10**money.exponent, due),
    )  # fmt: skip
    sentences = [
        f"Plan {fee['fee_code']} has a minimum commitment for {fee['from_date']} to {fee['to_date']}: {minimum}.",
        f"The fees for these days ({len(counted)} lines: {', '.join(kinds) or 'none'}) came to {money.cents(total)}; "
        f"the line adds what is missing: {money.cents(due - total)}.",
    ]
    return explanation(fee, sentences, Fraction(due - total), money)


def _counted_fees(session: Session, book: KnownBook, moment: Row, *, has_standalone: bool) -> list[Row]:
    """The fees of the subscription row, with an invoice or without, that are for days of the commitment's period.

    And the differences of other periods that were settled by then: late usage with `late_usage: adjust`.
    """
    columns = (
        "moment_id", "fee_type", "fee_code", "from_date", "to_date", "amount_cents", "reason", "plan_code",
        "plan_effective_at",
    )  # fmt: skip
    ledger = session.schema("ledger")
    key = [moment["organization_id"], moment["external_subscription_id"], moment["subscription_created_at"]]
    found = named_rows(
        session,
        "select f.moment_id, f.fee_type, f.fee_code, f.from_date, f.to_date, f.amount_cents, m.reason, m.plan_code, "
        f"m.plan_effective_at from {ledger}.ledger_fees f inner join {ledger}.ledger_moments m "
        "on m.moment_id = f.moment_id and m.invoice_id = f.invoice_id where f.organization_id = ? "
        "and f.external_subscription_id = ? and m.subscription_created_at = ? "
        "and m.reason not in ('progressive_billing', 'advance_charges') "
        "and f.fee_type in ('subscription', 'charge', 'true_up', 'fixed_charge')",
        columns,
        key,
    )
    found += named_rows(
        session,
        "select r.moment_id, r.fee_type, r.fee_code, r.from_date, r.to_date, r.difference_amount_cents, "
        "case when r.transaction_id is null then m.reason else 'advance_charge' end, m.plan_code, m.plan_effective_at "
        f"from {ledger}.ledger_restatements r inner join {ledger}.ledger_moments m on m.moment_id = r.moment_id "
        f"inner join {ledger}.ledger_moments n on n.moment_id = r.next_moment_id where r.organization_id = ? "
        "and r.external_subscription_id = ? and m.subscription_created_at = ? and n.billing_at <= ? "
        "and r.outcome in ('adjusted', 'credited', 'balanced', 'absorbed') "
        "and r.fee_type in ('subscription', 'charge', 'true_up', 'fixed_charge')",
        columns,
        [*key, moment["billing_at"]],
    )
    if has_standalone:
        found += named_rows(
            session,
            "select period_moment_id, 'charge' as fee_type, fee_code, from_date, to_date, amount_cents, reason, "
            f"plan_code, plan_effective_at from {ledger}.ledger_standalone_fees where organization_id = ? "
            "and external_subscription_id = ? and subscription_created_at = ? and made_at <= ?",
            columns,
            [*key, moment["finalizes_at"]],
        )
    return [
        row for row in found if moment["commitment_from_date"] <= _counts_for(book, row) <= moment["commitment_to_date"]
    ]


def _counts_for(book: KnownBook, row: Row) -> date:
    """The renewal of recurring units paid in advance is for the period after the one whose level it takes."""
    day: date = row["from_date"]
    if row["fee_type"] != "charge" or row["reason"] == "advance_charge":
        return day
    charges = book.find(
        "charges", plan_code=row["plan_code"], effective_at=row["plan_effective_at"], charge_code=row["fee_code"]
    )
    if any(charge["is_pay_in_advance"] for charge in charges):
        day = row["to_date"] + timedelta(days=1)
    return day


def explain_one_off(book: KnownBook, moment: Row, fee: Row, money: Money, position: int) -> LineExplanation:
    """A line that was asked for: its units at its price, else the add-on's."""
    lines = sorted(
        book.find("one_off_fees", one_off_invoice_id=moment["request_id"]), key=lambda row: int(row["fee_position"])
    )
    line = lines[position]
    add_on = book.dated("add_ons", moment["billing_at"], add_on_code=line["add_on_code"])
    price = line["unit_amount_cents"]
    origin = "the request's price"
    if price is None and add_on is not None:
        price, origin = add_on["amount_cents"], f"the price of the add-on {line['add_on_code']}"
    units = Fraction(1 if line["units"] is None else line["units"])
    exact = units * int(price or 0)
    return explanation(
        fee,
        [
            f"One-off invoice {moment['request_id']}, line {line['fee_position']}: add-on {line['add_on_code']}.",
            f"{text(units)} x {money.cents(price or 0)} ({origin}) = {money.cents(exact)}.",
        ],
        exact,
        money,
    )


def explain_purchase(book: KnownBook, moment: Row, fee: Row, money: Money) -> LineExplanation:
    """Credits that were bought for a wallet, by the book or by a rule: docs/billing-rules.md, Wallets and Top-ups by rule."""
    asked = book.find("wallet_transactions", wallet_transaction_id=moment["request_id"])
    bought = asked[0] if asked else _top_up(book, moment["request_id"])
    [wallet] = book.find("wallets", wallet_code=bought["wallet_code"])
    rate = Fraction(wallet["rate_amount"])
    credits = Fraction(bought["credits"])
    rule: list[str] = []
    if not asked:
        credits, rule = _asked_by_rule(book, bought, rate * 10**money.exponent, wallet)
    credits = Fraction(math.floor(credits * 100_000), 100_000)
    exact = credits * rate * 10**money.exponent
    sentences = [
        f"Credits bought for the wallet {bought['wallet_code']} ({bought['wallet_transaction_id']}): they can be used "
        "once the purchase is paid.",
        *rule,
        f"{text(credits)} credits x {money.major(rate)} = {money.cents(exact)}.",
    ]
    return explanation(fee, sentences, exact, money)


def _top_up(book: KnownBook, transaction_id: str) -> Row:
    """What a rule of a wallet did."""
    columns = [
        "wallet_transaction_id",
        "wallet_code",
        "rule_position",
        "trigger_type",
        "method",
        "topped_up_at",
        "credits",
        "ongoing_credits",
        "pending_credits",
    ]
    [row] = named_rows(
        book.session,
        f"select {', '.join(columns)} from {book.session.schema('ledger')}.ledger_wallet_top_ups "
        "where organization_id = ? and wallet_transaction_id = ?",
        columns,
        [book.organization_id, transaction_id],
    )
    return row


def _asked_by_rule(book: KnownBook, top_up: Row, cents: Fraction, wallet: Row) -> tuple[Fraction, list[str]]:
    """The credits that a rule asks for, from what it saw; `cents` is what a credit is worth in minor units."""
    [rule] = book.find("wallet_rules", wallet_code=top_up["wallet_code"], rule_position=top_up["rule_position"])
    at = f"{top_up['topped_up_at']:%Y-%m-%dT%H:%M:%SZ}"
    named = f"Rule {top_up['rule_position']} of the wallet, {top_up['trigger_type']}, at {at}"
    paid = Fraction(rule["paid_credits"] or 0)
    if top_up["ongoing_credits"] is None:
        return paid, [f"{named}: {text(paid)} credits each {_EVERY[rule['rule_interval']]}."]
    left, awaited = Fraction(top_up["ongoing_credits"]), Fraction(top_up["pending_credits"])
    sentences = [f"{named}: {text(left)} credits were left after the usage not invoiced yet, {text(awaited)} awaited."]
    if top_up["method"] == "target":
        target = Fraction(rule["target_ongoing_balance"])
        missing = target - left - awaited
        least = Fraction(wallet["paid_top_up_min_amount_cents"] or 0) / cents
        sentences.append(
            f"{text(target)} - {text(left)} - {text(awaited)} = {text(missing)} are missing to the target."
        )
        if missing < least:
            sentences.append(f"Raised to the wallet's minimum of {text(least)}.")
        return max(missing, least), sentences
    threshold, granted = Fraction(rule["threshold_credits"]), Fraction(rule["granted_credits"] or 0)
    gap = threshold - left - granted - awaited
    asked = paid if gap < paid else paid * (gap // paid + 1)
    sentences.append(
        f"{text(threshold)} - {text(left)} - {text(awaited)} - {text(granted)} granted = {text(gap)} to the threshold: "
        f"{text(asked / paid)} x {text(paid)} = {text(asked)}."
    )
    most = wallet["paid_top_up_max_amount_cents"]
    if most is not None and asked > Fraction(most) / cents:
        asked = Fraction(most) / cents
        sentences.append(f"Cut to the wallet's maximum of {text(asked)}.")
    return asked, sentences
