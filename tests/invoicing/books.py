"""Random books about money (coupons, taxes, credit notes, wallets in any order) and what the oracle makes of them."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from tests.invoicing.oracle import Coupon, Customer, Fee, Invoice, Wallet, half_away, thresholds_reached

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTHS = 5
GRACE_DAYS = 3
AS_OF = datetime(2024, 6, 1, 6, tzinfo=UTC)
PRICES = ("0.01", "0.0137", "0.004", "1.255")
RATES = ("0", "5.5", "7", "10", "19", "20", "23.33")


def stamp(moment: datetime) -> str:
    """An instant as a book writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def month(number: int) -> datetime:
    """The first instant of a month, counted from the start."""
    return datetime(2024, 1 + number, 1, tzinfo=UTC)


@dataclass
class Line:
    """A step of the book's story: when, in which order at one instant, what."""

    at: datetime
    rank: int
    kind: str
    value: Any


def books(seed: int, count: int, *, is_plain: bool = False) -> list[dict[str, Any]]:
    """Cases that the oracle has worked out; `is_plain`: without usage thresholds and top-ups."""
    return [_book(f"money_{seed}_{number}", random.Random(f"{seed} {number}"), is_plain) for number in range(count)]


def _book(name: str, draw: random.Random, is_plain: bool) -> dict[str, Any]:
    trigger = None if is_plain else draw.choice((None, None, None, "interval", "threshold"))
    grace = 0 if trigger == "threshold" else draw.choice((0, 0, GRACE_DAYS))
    given = _catalog(draw, grace=grace, has_thresholds=not is_plain and draw.random() < 0.4)
    customer = Customer()
    crossings: list[tuple[str, Invoice]] = []
    story: list[Line] = [*_invoices(draw, given, crossings, trigger), *_one_offs(draw, given)]
    story += _coupons(draw, given, customer)
    story += _wallets(draw, given, customer, trigger)
    story += [
        Line(START + timedelta(days=draw.randrange(33, 150), hours=2 + place), 8, "credit_note", place)
        for place in range(draw.choice((0, 0, 1, 2, 4)))
    ]
    if trigger == "threshold":
        story += _looks(given)
    waiting = [(line.at, line.rank, place, line) for place, line in enumerate(story)]
    heapq.heapify(waiting)
    count = len(story)
    while waiting and waiting[0][0] <= AS_OF:
        *_, line = heapq.heappop(waiting)
        before = [wallet.balance for wallet in customer.wallets]
        more: list[Line] = []
        if line.kind == "invoice":
            customer.settle(line.value)
        elif line.kind in ("wallet", "fact"):
            line.value()
        elif line.kind == "credit_note":
            _credit(draw, given, customer, line)
        elif line.kind == "draft_note":
            customer.credit_of_draft(*line.value)
        elif line.kind == "top_up":
            more = _top_up(draw, given, customer, line.at, *line.value)
        elif line.kind == "look":
            more = _top_up_below(draw, given, customer, line.at, crossings)
        if trigger == "threshold" and line.kind != "look" and before != [wallet.balance for wallet in customer.wallets]:
            more = [Line(line.at, 10, "look", None)]
        for found in more:
            count += 1
            heapq.heappush(waiting, (found.at, found.rank, count, found))
    return {"case": name, "about": "drawn", "as_of": stamp(AS_OF), "given": given, "expect": _expectation(customer)}


def _catalog(draw: random.Random, *, grace: int, has_thresholds: bool) -> dict[str, Any]:
    taxes = [
        {"code": f"t{place}", "name": f"T{place}", "rate": rate, "applied_to_organization": place == 0}
        for place, rate in enumerate(draw.sample(RATES, 3))
    ]
    metrics = [
        {"code": f"m{place}", "name": f"M{place}", "aggregation_type": "sum_agg", "field_name": "n"}
        for place in range(3)
    ]
    plans = [
        {
            "code": f"p{place}",
            "name": f"P{place}",
            "interval": "monthly",
            "amount_cents": draw.choice((0, 999, 5000, 12345)),
            "amount_currency": "EUR",
            "tax_codes": draw.choice(([], [], ["t1"])),
            "usage_thresholds": _thresholds(draw) if has_thresholds else [],
            "charges": [
                {
                    "code": f"c{place}{metric}",
                    "billable_metric_code": f"m{metric}",
                    "charge_model": "standard",
                    "tax_codes": draw.choice(([], [], ["t1"], ["t1", "t2"])),
                    "properties": {"amount": draw.choice(PRICES)},
                }
                for metric in draw.sample(range(3), draw.randrange(1, 4))
            ],
        }
        for place in range(2)
    ]
    subscriptions = [
        {
            "external_id": f"s{place}",
            "external_customer_id": "cust",
            "plan_code": f"p{place}",
            "billing_time": "calendar",
            "created_at": stamp(START),
            "subscription_at": stamp(START),
        }
        for place in range(draw.choice((1, 2)))
    ]
    return {
        "organization": {"timezone": "UTC", "default_currency": "EUR"},
        "taxes": taxes,
        "billable_metrics": metrics,
        "plans": plans,
        "add_ons": [{"code": "a", "name": "A", "amount_cents": 6833, "amount_currency": "EUR", "tax_codes": ["t2"]}],
        "customers": [
            {
                "external_id": "cust",
                "name": "Cust",
                "currency": "EUR",
                "invoice_grace_period": grace,
            }
        ],
        "subscriptions": subscriptions,
        "coupons": [],
        "applied_coupons": [],
        "wallets": [],
        "wallet_transactions": [],
        "invoices_one_off": [],
        "credit_notes": [],
        "payments": [],
        "events": [],
        "event_corrections": [],
    }


def _thresholds(draw: random.Random) -> list[dict[str, Any]]:
    fixed = draw.choice(([], [500], [500, 700, 30000], [100000]))
    recurring = draw.choice(([], [1000], [50000])) if fixed else [draw.choice((1000, 50000))]
    return [
        *({"amount_cents": amount, "recurring": False} for amount in fixed),
        *({"amount_cents": amount, "recurring": True} for amount in recurring),
    ]


def _rate(given: dict[str, Any], *levels: list[str]) -> Fraction:
    rates = {tax["code"]: Fraction(tax["rate"]) for tax in given["taxes"]}
    codes = next((codes for codes in levels if codes), ["t0"])
    return sum((rates[code] for code in codes), Fraction(0))


def _invoices(
    draw: random.Random, given: dict[str, Any], crossings: list[tuple[str, Invoice]], trigger: str | None
) -> Iterator[Line]:
    """The invoices of the periods and, among them, of thresholds, which `crossings` gets by subscription."""
    plans = {plan["code"]: plan for plan in given["plans"]}
    grace = timedelta(days=given["customers"][0]["invoice_grace_period"])
    before = dict.fromkeys((subscription["external_id"] for subscription in given["subscriptions"]), 0)
    for number in range(MONTHS):
        final_at = month(number + 1) + grace
        invoice = Invoice(final_at, "subscription", [])
        draft: list[tuple[Fee, int]] = []
        # usage comes in hours of its own, after all that is done by hand
        hours = [24 * day + hour for day in range(2, 26) for hour in range(8, 24)]
        draw.shuffle(hours)
        for subscription in given["subscriptions"]:
            plan, name = plans[subscription["plan_code"]], subscription["external_id"]
            amount = plan["amount_cents"]
            rate = _rate(given, plan["tax_codes"])
            invoice.fees.append(Fee("subscription", plan["code"], None, plan["code"], amount, Fraction(amount), rate))
            draft.append((invoice.fees[-1], amount))
            if plan["usage_thresholds"]:
                moments = sorted(
                    month(number) + timedelta(hours=hours.pop(), seconds=draw.randrange(1, 3600))
                    for _ in range(draw.choice((0, 2, 4, 8)))
                )
                # what is cancelled leaves a wallet's rule no usage to have seen
                is_cancelling = trigger != "threshold" and bool(moments) and draw.random() < 0.3
                crossed, used = _used_over_a_month(draw, given, name, plan, moments, before[name], is_cancelling)
                yield from (Line(crossing.issued_at, 6, "invoice", crossing) for crossing in crossed)
                crossings += ((name, crossing) for crossing in crossed)
                usage = {code: (units, units) for code, units in used.items()}
            else:
                crossed = []
                usage = {}
                for charge in plan["charges"]:
                    known = draw.choice((0, 1, 3, 77, 1250))
                    usage[charge["code"]] = known, _used(draw, given, name, charge, (number, known))
            fees = []
            for charge in plan["charges"]:
                known, units = usage[charge["code"]]
                fee = _charge_fee(given, plan, charge, units)
                if units:
                    fees.append(fee)
                draft.append((fee, _charge_fee(given, plan, charge, known).amount))
            invoice.fees += fees
            before[name] += sum(fee.amount for fee in fees)
            if crossed:
                invoice.links.append((crossed[-1], fees))
        yield Line(final_at, 3, "invoice", invoice)
        if grace and draw.random() < 0.5:
            yield from _draft_notes(draw, given, draft, number)


def _charge_fee(given: dict[str, Any], plan: dict[str, Any], charge: dict[str, Any], units: int) -> Fee:
    precise = units * Fraction(charge["properties"]["amount"]) * 100
    rate = _rate(given, charge["tax_codes"], plan["tax_codes"])
    return Fee(
        "charge", charge["code"], charge["billable_metric_code"], plan["code"], half_away(precise), precise, rate
    )


def _used_over_a_month(
    draw: random.Random,
    given: dict[str, Any],
    subscription: str,
    plan: dict[str, Any],
    moments: list[datetime],
    before: int,
    is_cancelling: bool,
) -> tuple[list[Invoice], dict[str, int]]:
    """Events of a month one by one: the invoices of the thresholds that they reach, and the units by charge at the end.

    `is_cancelling`: the last event turns out to be none, when all are there. `before` is what earlier months' charges came to.
    """
    fixed = [row["amount_cents"] for row in plan["usage_thresholds"] if not row["recurring"]]
    recurring = next((row["amount_cents"] for row in plan["usage_thresholds"] if row["recurring"]), None)
    used = {charge["code"]: 0 for charge in plan["charges"]}
    crossings: list[Invoice] = []
    for at in moments:
        charge, units = draw.choice(plan["charges"]), draw.choice((1, 77, 1250, 20000))
        event = {
            "transaction_id": f"e{len(given['events'])}",
            "external_subscription_id": subscription,
            "code": charge["billable_metric_code"],
            "timestamp": stamp(at),
            "properties": {"n": str(units)},
        }
        given["events"].append(event)
        used[charge["code"]] += units
        fees = [_charge_fee(given, plan, charge, used[charge["code"]]) for charge in plan["charges"]]
        billed = crossings[-1].fees_amount if crossings else 0
        current = sum(fee.amount for fee in fees)
        if thresholds_reached(fixed, recurring, invoiced=before, billed=billed, current=current):
            fees = [fee for fee in fees if used[fee.code]]
            links = [(crossings[-1], fees)] if crossings else []
            crossings.append(Invoice(at, "progressive_billing", fees, links))
    if is_cancelling:
        given["event_corrections"].append(
            {
                "transaction_id": event["transaction_id"],
                "external_subscription_id": subscription,
                "action": "cancel",
                "created_at": stamp(at.replace(day=28)),
            }
        )
        used[charge["code"]] -= units
    return crossings, used


def _used(
    draw: random.Random, given: dict[str, Any], subscription: str, charge: dict[str, Any], used: tuple[int, int]
) -> int:
    """Events of a month, and what becomes of its units while the invoice is a draft."""
    number, known = used
    event = {
        "transaction_id": f"e{len(given['events'])}",
        "external_subscription_id": subscription,
        "code": charge["billable_metric_code"],
        "timestamp": stamp(month(number) + timedelta(days=10)),
        "properties": {"n": str(known)},
    }
    if known:
        given["events"].append(event)
    if not given["customers"][0]["invoice_grace_period"] or draw.random() < 0.5:
        return known
    changed_at = stamp(month(number + 1) + timedelta(days=2))
    if known and draw.random() < 0.5:
        given["event_corrections"].append(
            {
                "transaction_id": event["transaction_id"],
                "external_subscription_id": subscription,
                "action": "cancel",
                "created_at": changed_at,
            }
        )
        return 0
    more = draw.choice((1, 5, 400))
    given["events"].append(
        {
            **event,
            "transaction_id": f"l{len(given['events'])}",
            "properties": {"n": str(more)},
            "received_at": changed_at,
        }
    )
    return known + more


def _draft_notes(
    draw: random.Random, given: dict[str, Any], draft: list[tuple[Fee, int]], number: int
) -> Iterator[Line]:
    """A note that is asked for before the invoice is final, about lines as they stand then."""
    named = [(fee, amount) for fee, amount in draft if amount > 0 and (fee.kind == "charge" or fee.code == "p0")]
    if not named:
        return
    items = [(fee, amount, draw.randrange(1, amount + 1)) for fee, amount in draw.sample(named, min(len(named), 2))]
    total = half_away(sum((asked * (1 + fee.rate / 100) for fee, _, asked in items), Fraction(0)))
    final_at = month(number + 1) + timedelta(days=GRACE_DAYS)
    code = f"d{number}"
    given["credit_notes"].append(
        {
            "code": code,
            "invoice": {"subscription": "s0", "issuing_date": final_at.date().isoformat()},
            "created_at": stamp(month(number + 1) + timedelta(days=1)),
            "items": [
                {"fee": "subscription" if fee.kind == "subscription" else fee.code, "amount_cents": asked}
                for fee, _, asked in items
            ],
            "credit_amount_cents": total,
            "refund_amount_cents": 0,
        }
    )
    yield Line(final_at, 8, "draft_note", (code, final_at, items))


def _one_offs(draw: random.Random, given: dict[str, Any]) -> Iterator[Line]:
    for number in range(draw.choice((0, 1, 2))):
        at = month(number) + timedelta(days=14, hours=number)
        units = draw.choice(("1", "2.5", "0.333"))
        given["invoices_one_off"].append(
            {
                "external_customer_id": "cust",
                "created_at": stamp(at),
                "currency": "EUR",
                "fees": [{"add_on_code": "a", "units": units}],
            }
        )
        precise = Fraction(units) * 6833
        yield Line(
            at,
            4,
            "invoice",
            Invoice(at, "one_off", [Fee("add_on", "a", None, None, half_away(precise), precise, _rate(given, ["t2"]))]),
        )


def _coupons(draw: random.Random, given: dict[str, Any], customer: Customer) -> Iterator[Line]:
    for place in range(draw.choice((0, 1, 2, 3))):
        kind = draw.choice(("fixed_amount", "percentage"))
        frequency = draw.choice(("once", "recurring", "forever"))
        target = draw.choice(("none", "none", "metrics", "plans"))
        metrics = draw.sample(["m0", "m1", "m2"], draw.randrange(1, 3)) if target == "metrics" else []
        plans = [draw.choice(("p0", "p1"))] if target == "plans" else []
        amount = draw.choice((1, 300, 5000, 40000))
        rate = draw.choice(("5", "33.3333", "50", "100"))
        created_at = START + timedelta(days=draw.randrange(0, 100), hours=3, minutes=place)
        terminated_at = created_at + timedelta(days=draw.randrange(20, 60)) if draw.random() < 0.2 else None
        given["coupons"].append(
            {
                "code": f"k{place}",
                "name": f"K{place}",
                "coupon_type": kind,
                "amount_cents": amount if kind == "fixed_amount" else None,
                "amount_currency": "EUR" if kind == "fixed_amount" else None,
                "percentage_rate": rate if kind == "percentage" else None,
                "frequency": frequency,
                "frequency_duration": 2 if frequency == "recurring" else None,
                "expiration": "no_expiration",
                "reusable": True,
                "applies_to": {"plan_codes": plans, "billable_metric_codes": metrics},
            }
        )
        given["applied_coupons"].append(
            {
                "external_customer_id": "cust",
                "coupon_code": f"k{place}",
                "created_at": stamp(created_at),
                "terminated_at": stamp(terminated_at) if terminated_at else None,
            }
        )
        limit = 1 if metrics else 2 if plans else 3
        coupon = Coupon(
            (limit, created_at), kind, amount, Fraction(rate), frequency, 2, frozenset(metrics), frozenset(plans),
            created_at, terminated_at,
        )  # fmt: skip

        def attach(coupon: Coupon = coupon) -> None:
            if not any(_conflict(given, coupon, other) for other in customer.coupons):
                customer.coupons.append(coupon)

        yield Line(created_at, 2, "fact", attach)


def _conflict(given: dict[str, Any], coupon: Coupon, other: Coupon) -> bool:
    """Whether the other coupon is active and names the same plan or metric, or a plan and a metric that belong together."""
    if not other.is_live or (other.terminated_at and other.terminated_at <= coupon.created_at):
        return False
    metrics_of = {
        plan["code"]: {charge["billable_metric_code"] for charge in plan["charges"]} for plan in given["plans"]
    }
    return bool(
        coupon.plans & other.plans
        or coupon.metrics & other.metrics
        or any(metrics_of[plan] & other.metrics for plan in coupon.plans)
        or any(metrics_of[plan] & coupon.metrics for plan in other.plans)
    )


def _wallets(draw: random.Random, given: dict[str, Any], customer: Customer, trigger: str | None) -> Iterator[Line]:
    """Wallets and what is put into them; the first has the rule, a `threshold` of it is that of an only wallet for all."""
    counts = {None: (0, 1, 1, 2, 3), "interval": (1, 2, 3), "threshold": (1,)}
    for place in range(draw.choice(counts[trigger])):
        rate = draw.choice(("1.0", "0.5", "2", "0.3"))
        priority = draw.choice((1, 49, 50))
        fee_types = draw.choice(([], [], ["charge"], ["subscription"]))
        metrics = draw.choice(([], [], [], ["m0"], ["m1", "m2"]))
        if trigger == "threshold":
            fee_types, metrics = [], []
        created_at = START + timedelta(hours=place)
        ended_at = START + timedelta(days=draw.randrange(40, 140), hours=1) if draw.random() < 0.3 else None
        wallet = Wallet(
            f"w{place}", (priority, created_at), Fraction(rate), frozenset(fee_types), frozenset(metrics), ended_at
        )
        customer.wallets.append(wallet)
        given["wallets"].append(
            {
                "code": wallet.code,
                "external_customer_id": "cust",
                "rate_amount": rate,
                "currency": "EUR",
                "created_at": stamp(created_at),
                "expiration_at": stamp(ended_at) if ended_at else None,
                "priority": priority,
                "applies_to": {"fee_types": fee_types, "billable_metric_codes": metrics},
            }
        )
        if trigger and place == 0:
            given["wallets"][-1] |= _rule(draw, trigger, created_at)
            if trigger == "interval":
                yield from _interval_dates(given["wallets"][-1], ended_at)
            else:
                yield Line(created_at, 10, "look", None)
        if ended_at:

            def end(wallet: Wallet = wallet) -> None:
                wallet.is_ended = True
                wallet.balance, wallet.credits = 0, Fraction(0)

            yield Line(ended_at, 1, "wallet", end)
        for number in range(draw.choice((1, 2, 3))):
            kind = "granted" if number == 0 else draw.choice(("granted", "voided"))
            credits = Fraction(Decimal(draw.choice(("10", "100", "17.96999", "33.33333", "400"))))
            at = START + timedelta(days=draw.randrange(0, 140), hours=5 + place, minutes=number)
            if ended_at and at >= ended_at:
                continue
            given["wallet_transactions"].append(
                {
                    "wallet_code": wallet.code,
                    "kind": kind,
                    "credits": str(Decimal(credits.numerator) / Decimal(credits.denominator)),
                    "created_at": stamp(at),
                    "settled_at": stamp(at),
                }
            )

            def move(wallet: Wallet = wallet, kind: str = kind, credits: Fraction = credits) -> None:
                if kind == "voided":
                    wallet.void(credits)
                else:
                    wallet.add(credits)

            yield Line(at, 2, "wallet", move)


def _rule(draw: random.Random, trigger: str, created_at: datetime) -> dict[str, Any]:
    paid, granted = draw.choice((("20", None), (None, "7.5"), ("33.33333", "10"), ("150", "1")))
    rule = {"trigger": trigger, "paid_credits": paid, "granted_credits": granted}
    # a close takes a pass for each top-up: few are enough
    days = 22 if trigger == "threshold" else draw.choice((35, 50))
    rule["expiration_at"] = stamp(created_at + timedelta(days=days, hours=3))
    if trigger == "interval":
        started_at = created_at + timedelta(days=draw.choice((0, 9, 30)), hours=4)
        interval = draw.choice(("weekly", "monthly", "monthly"))
        return {"recurring_transaction_rules": [rule | {"interval": interval, "started_at": stamp(started_at)}]}
    return {
        "recurring_transaction_rules": [rule | {"threshold_credits": draw.choice(("0", "10", "200"))}],
        "paid_top_up_max_amount_cents": draw.choice((None, None, 9000)),
    }


def _interval_dates(wallet: dict[str, Any], ended_at: datetime | None) -> Iterator[Line]:
    """The instant of the start, then the first one of its weekday or its day of the month."""
    [rule] = wallet["recurring_transaction_rules"]
    started_at = datetime.fromisoformat(rule["started_at"])
    days = [started_at.replace(hour=0) + timedelta(days=number) for number in range(1, 160)]
    if rule["interval"] == "weekly":
        days = [day for day in days if (day - started_at.replace(hour=0)).days % 7 == 0]
    else:
        days = [
            day
            for day in days
            if day.day
            == min(
                started_at.day,
                (day.replace(day=28) + timedelta(days=4)).replace(day=1).toordinal() - day.replace(day=1).toordinal(),
            )
        ]
    expires_at = datetime.fromisoformat(rule["expiration_at"])
    for at in (started_at, *days):
        if at < min(expires_at, ended_at or expires_at):
            yield Line(at, 2, "top_up", (rule["granted_credits"], rule["paid_credits"]))


def _looks(given: dict[str, Any]) -> Iterator[Line]:
    """The end of each hour in which usage came in."""
    for event in given["events"]:
        hour = datetime.fromisoformat(event["timestamp"]).replace(minute=0, second=0)
        yield Line(hour + timedelta(hours=1), 10, "look", None)


def _top_up_below(
    draw: random.Random, given: dict[str, Any], customer: Customer, at: datetime, crossings: list[tuple[str, Invoice]]
) -> list[Line]:
    """What the rule of the only wallet does, last of what happens at an instant."""
    [wallet], [row] = customer.wallets, given["wallets"]
    [rule] = row["recurring_transaction_rules"]
    if wallet.is_ended or wallet.topped_up_at == at or at >= datetime.fromisoformat(rule["expiration_at"]):
        return []
    ongoing = (wallet.balance - _unbilled(given, at, crossings)) / 100 / wallet.rate
    threshold = Fraction(rule["threshold_credits"])
    if ongoing + wallet.pending > threshold:
        return []
    wallet.topped_up_at = at
    asked = None
    if rule["paid_credits"]:
        paid = Fraction(rule["paid_credits"])
        gap = threshold - ongoing - Fraction(rule["granted_credits"] or 0) - wallet.pending
        credits = paid if gap < paid else paid * (floor(gap / paid) + 1)
        if row["paid_top_up_max_amount_cents"]:
            credits = min(credits, Fraction(row["paid_top_up_max_amount_cents"], 100) / wallet.rate)
        asked = credits
    return _top_up(draw, given, customer, at, rule["granted_credits"], asked)


def _unbilled(given: dict[str, Any], at: datetime, crossings: list[tuple[str, Invoice]]) -> Fraction:
    """Usage of the running month with tax, less what threshold invoices took of it."""
    plans = {plan["code"]: plan for plan in given["plans"]}
    begin = at.replace(day=1, hour=0, minute=0, second=0)
    found = Fraction(0)
    for subscription in given["subscriptions"]:
        name, plan = subscription["external_id"], plans[subscription["plan_code"]]
        newest = [invoice for owner, invoice in crossings if owner == name and begin <= invoice.issued_at <= at][-1:]
        taken = {fee.code: fee.amount for invoice in newest for fee in invoice.fees}
        for charge in plan["charges"]:
            units = sum(
                int(event["properties"]["n"])
                for event in given["events"]
                if (event["external_subscription_id"], event["code"]) == (name, charge["billable_metric_code"])
                and begin <= datetime.fromisoformat(event["timestamp"]) <= at
            )
            fee = _charge_fee(given, plan, charge, units)
            fee.share = Fraction(taken.get(fee.code, 0))
            found += fee.left + fee.exact_tax
    return found


def _top_up(
    draw: random.Random,
    given: dict[str, Any],
    customer: Customer,
    at: datetime,
    granted: str | None,
    paid: str | Fraction | None,
) -> list[Line]:
    """What is granted comes in at once; what is bought is invoiced, and comes in when it is paid, if ever."""
    wallet = customer.wallets[0]
    if granted:
        wallet.add(Fraction(granted))
    if not paid:
        return []
    credits = Fraction(paid)
    amount = wallet.value(credits)
    customer.settle(Invoice(at, "credit", [Fee("credit", "w0", None, None, amount, Fraction(amount), Fraction(0))]))
    wallet.pending += credits
    paid_at = (at + timedelta(days=draw.randrange(1, 20))).replace(hour=4, minute=7, second=0)
    if draw.random() < 0.4 or (wallet.ended_at and paid_at >= wallet.ended_at):
        return []
    reference = {**_match(customer, customer.invoices[-1]), "invoice_type": "credit"}
    given["payments"].append({"invoice": reference, "amount_cents": amount, "created_at": stamp(paid_at)})

    def settle() -> None:
        wallet.pending -= credits
        wallet.add(credits)

    return [Line(paid_at, 2, "wallet", settle)]


def _credit(draw: random.Random, given: dict[str, Any], customer: Customer, line: Line) -> None:
    """A note about a part of some lines, or all that is left, of an earlier invoice."""
    invoices = [invoice for invoice in customer.invoices if invoice.fees_amount > 0 and invoice.kind != "credit"]
    if not invoices:
        return
    invoice = draw.choice(invoices)
    open_fees = [fee for fee in invoice.fees if fee.amount - fee.credited >= 1]
    if not open_fees:
        return
    if invoice.kind == "subscription":
        # the case format names a plan's fee by the subscription of the invoice alone
        open_fees = [fee for fee in open_fees if fee.kind == "charge" or fee.code == "p0"]
    chosen = open_fees if draw.random() < 0.5 else draw.sample(open_fees, min(len(open_fees), 2))
    items = [
        (
            fee,
            int(fee.amount - fee.credited)
            if draw.random() < 0.6
            else draw.randrange(1, int(fee.amount - fee.credited) + 1),
        )
        for fee in chosen
    ]
    if not items:
        return
    *_, exact = customer.estimate(invoice, items)
    asked = exact + draw.choice((0, 0, 1, -1))
    # a note about nothing would be refused
    if min(asked, exact) <= 0:
        return
    refund = 0
    if draw.random() < 0.3:
        refund = draw.randrange(0, asked + 1)
    code = f"n{line.value}"
    reference = {**_match(customer, invoice), "invoice_type": invoice.kind}
    if invoice.kind == "subscription":
        reference = {"subscription": "s0", "issuing_date": reference["issuing_date"], "invoice_type": invoice.kind}
    if refund:
        given["payments"].append(
            {"invoice": reference, "amount_cents": refund, "created_at": stamp(line.at - timedelta(hours=1))}
        )
    given["credit_notes"].append(
        {
            "code": code,
            "invoice": reference,
            "created_at": stamp(line.at),
            "items": [
                {"fee": "subscription" if fee.kind == "subscription" else fee.code, "amount_cents": amount}
                for fee, amount in items
            ],
            "credit_amount_cents": asked - refund,
            "refund_amount_cents": refund,
        }
    )
    customer.credit(code, invoice, items, (asked - refund, refund))


def _match(customer: Customer, invoice: Invoice) -> dict[str, Any]:
    """Names an invoice among those of its day and type."""
    alike = [
        other
        for other in customer.invoices
        if other.kind == invoice.kind and other.issued_at.date() == invoice.issued_at.date()
    ]
    alike.sort(key=lambda other: other.issued_at)
    nth = next(number for number, other in enumerate(alike, start=1) if other is invoice)
    return {"customer": "cust", "issuing_date": invoice.issued_at.date().isoformat(), "nth": nth}


def _expectation(customer: Customer) -> dict[str, Any]:
    invoices = []
    for invoice in sorted(customer.invoices, key=lambda invoice: invoice.issued_at):
        invoices.append(
            {
                "match": _match(customer, invoice),
                "invoice_type": invoice.kind,
                "fees_amount_cents": invoice.fees_amount,
                "progressive_billing_credit_amount_cents": invoice.progressive,
                "coupons_amount_cents": invoice.coupons,
                "sub_total_excluding_taxes_amount_cents": invoice.subtotal,
                "taxes_amount_cents": invoice.taxes,
                "sub_total_including_taxes_amount_cents": invoice.subtotal + invoice.taxes,
                "credit_notes_amount_cents": invoice.credit_notes,
                "prepaid_credit_amount_cents": invoice.prepaid,
                "total_amount_cents": invoice.total,
            }
        )
    notes = [
        {
            "match": {"customer": "cust", "nth": number},
            "credit_amount_cents": note.credit,
            "refund_amount_cents": note.refund,
            "taxes_amount_cents": note.tax,
            "total_amount_cents": note.total,
            "balance_amount_cents": note.balance,
        }
        for number, note in enumerate(customer.notes, start=1)
    ]
    wallets = [
        {
            "code": wallet.code,
            "balance_cents": wallet.balance,
            "credits_balance": str(_decimal(wallet.credits)),
            "consumed_credits": str(_decimal(wallet.consumed)),
        }
        for wallet in customer.wallets
        if not wallet.is_ended
    ]
    return {
        "invoices": invoices,
        "invoice_count": len(invoices),
        "credit_notes": notes,
        "wallets": wallets,
    }


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
