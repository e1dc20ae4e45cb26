"""Random books for rating, made from a seed: every combination of aggregation, model and terms that is allowed.

A charge that rests on something which the rules leave open (the oracle says so) is drawn anew, so that every figure of
a book is settled.
"""

import copy
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import (
    ALL_FILTER_VALUES,
    UnsettledError,
    as_text,
    beats,
    bucket_list,
    decimal_text,
    instant,
    midnight,
    numeric,
)
from tests.rating.expectations import expectation
from tests.rating.oracle import EXPONENTS, rate

ZONES = (
    *["UTC"] * 4,
    "Europe/Paris",
    "America/New_York",
    "America/Bogota",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/Santiago",
    "Africa/Cairo",
)
NO_NUMBERS = ("+5", "1e3", ".5", "5.", "", " ", "twelve", "5 ", "1,5", "0x10", "-", "--2", None)
_TICK, _DAY = timedelta(microseconds=1), timedelta(days=1)
_RANGED = {"graduated": "graduated_ranges", "volume": "volume_ranges"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A combination that the catalogue allows: docs/billing-rules.md, Usage and Prices."""

    aggregation: str
    model: str
    recurring: bool = False
    prorated: bool = False
    in_advance: bool = False


def _kinds() -> Iterator[Kind]:
    models = ("standard", "graduated", "graduated_percentage", "package", "percentage", "volume", "dynamic")
    aggregations = ("count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg", "weighted_sum_agg")
    for aggregation, model in itertools.product(aggregations, models):
        if model == "dynamic" and aggregation != "sum_agg":
            continue
        if aggregation == "latest_agg" and model in {"percentage", "graduated_percentage"}:
            continue
        recurs = aggregation in {"sum_agg", "unique_count_agg", "weighted_sum_agg"}
        for recurring in (False, True) if recurs else (False,):
            yield Kind(aggregation, model, recurring)
            advance = aggregation in {"count_agg", "sum_agg", "unique_count_agg"} and model != "volume"
            if advance and not (recurring and model in {"percentage", "dynamic"}):
                yield Kind(aggregation, model, recurring, in_advance=True)
            if recurring and aggregation != "weighted_sum_agg" and model in {"standard", "graduated", "volume"}:
                yield Kind(aggregation, model, recurring, prorated=True)
                if model == "standard":
                    yield Kind(aggregation, model, recurring, prorated=True, in_advance=True)


KINDS = tuple(_kinds())


@dataclass(frozen=True)
class Scale:
    """How large quantities and prices of a charge are, so that its amounts stay within the sizes of money."""

    largest: int
    decimals: int
    price_largest: int
    price_decimals: int
    signed: bool


SCALES = (
    *[Scale(20, 0, 50, 2, signed=False), Scale(20, 0, 50, 5, signed=True), Scale(300, 3, 9, 4, signed=True)] * 4,
    # the limits of docs/book.md: 15 digits before and 12 after the point of a quantity, 9 and 12 of a price
    Scale(10**15 - 1, 0, 0, 6, signed=False),
    Scale(1000, 12, 99, 12, signed=True),
    Scale(3, 2, 10**9 - 1, 12, signed=False),
    Scale(10**12, 12, 0, 8, signed=True),
)


def books(seed: int, kinds: Sequence[Kind] = KINDS) -> Iterator[Row]:
    """Cases without end, each with what it must give; the same for the same seed."""
    for number in itertools.count():
        rng = random.Random(f"{seed}/{number}")
        # every kind comes up in turn
        order = random.Random(f"{seed}/{number // len(kinds)}").sample(kinds, len(kinds))
        yield _Book(rng, f"book_{seed}_{number}", order[number % len(kinds)], kinds).case()


class _Book:
    def __init__(self, rng: random.Random, name: str, first: Kind, kinds: Sequence[Kind]) -> None:
        self.rng, self.name, self.first, self.kinds = rng, name, first, kinds
        self.zone = rng.choice(ZONES)
        self.currency = rng.choice(["EUR"] * 6 + [code for code in EXPONENTS if code != "EUR"])
        self.ids = iter(rng.sample(range(1, 9999), 9000))
        self.start = datetime(2024, rng.randint(1, 12), rng.randint(1, 28), tzinfo=UTC)
        if rng.random() < 0.6:
            self.start = self.start.replace(day=1)
        self.as_of = self._as_of()
        self.bounds = self._bounds()

    def _as_of(self) -> datetime:
        day = (self.start + timedelta(days=self.rng.choice((9, 31, 40, 62, 75, 100)))).replace(hour=0)
        if self.rng.random() < 0.4:
            day = day.replace(day=1)
        return max(day, self.start) + timedelta(seconds=self.rng.choice((0, 6 * 3600, 12 * 3600 + 1, 86399)))

    def _bounds(self) -> list[datetime]:
        """Instants at which periods of a book may begin."""
        found, day = [self.start], date(self.start.year, self.start.month, 1)
        while day <= self.as_of.date():
            found.append(midnight(day, ZoneInfo(self.zone)))
            day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        return [*found, self.as_of]

    def case(self) -> Row:
        """The book as a case."""
        given: Row = {
            "organization": {"timezone": self.zone, "default_currency": self.currency},
            "taxes": [],
            "pricing_units": [],
            "billable_metrics": [],
            "plans": [],
            "customers": [],
            "subscriptions": [],
            "events": [],
        }
        for number in range(self.rng.choice((2, 2, 3))):
            self._add_subscription(given, f"s{number + 1}", self.first if number == 0 else None)
        given["events"] = self._shuffled(given["events"])
        return with_expectation(
            {
                "case": self.name,
                "about": "a random book",
                "features": [],
                "as_of": written(self.as_of),
                "given": given,
            }
        )

    def _shuffled(self, events: list[Row]) -> list[Row]:
        """Events in any order, but those of one id in theirs: the first of them counts."""
        queues: dict[str, list[Row]] = {}
        for event in events:
            queues.setdefault(event["transaction_id"], []).append(event)
        order = self.rng.sample(events, len(events))
        return [queues[event["transaction_id"]].pop(0) for event in order]

    def _add_subscription(self, given: Row, name: str, first: Kind | None) -> None:
        rng = self.rng
        start = self.start + timedelta(seconds=rng.choice((0, 0, 0, 43200, 9 * 3600 + 7)))
        start += rng.choice((timedelta(), timedelta(days=rng.randint(0, 8))))
        start = min(start, self.as_of)
        ended = None
        if rng.random() < 0.25 and self.as_of - start > timedelta(days=2):
            ended = start + (self.as_of - start) * rng.random()
            ended = rng.choice((ended, ended.replace(hour=0, minute=0, second=0, microsecond=0)))
            ended = max(ended, start + timedelta(days=1)).replace(microsecond=0)
        customer = {"external_id": f"c-{name}", "name": name, "currency": self.currency, "timezone": None}
        if rng.random() < 0.2:
            customer["timezone"] = rng.choice(ZONES)
        subscription = {
            "external_id": name,
            "external_customer_id": f"c-{name}",
            "plan_code": f"p-{name}",
            "billing_time": rng.choice(("calendar", "calendar", "anniversary")),
            "created_at": written(start),
            "subscription_at": written(start),
            "terminated_at": written(ended) if ended else None,
        }
        plan: Row = {
            "code": f"p-{name}",
            "interval": rng.choice(("monthly", "monthly", "monthly", "weekly", "quarterly")),
            "amount_cents": 0,
            "amount_currency": self.currency,
            "charges": [],
        }
        given["customers"].append(customer)
        given["subscriptions"].append(subscription)
        given["plans"].append(plan)
        self.bounds_of = [*self.bounds, start, *([ended] if ended else [])]
        for number in range(rng.randint(3, 7)):
            kind = first if number == 0 and first else rng.choice(self.kinds)
            added = self._settled_charge(given, plan, subscription, kind, f"{name}-{number + 1}")
            plan["charges"].append(added["charge"])
            given["billable_metrics"].append(added["metric"])
            given["events"] += added["events"]
            given["pricing_units"] += added["pricing_units"]

    def _settled_charge(self, given: Row, plan: Row, subscription: Row, kind: Kind, code: str) -> Row:
        """A charge with its metric and events, drawn until nothing of it is open."""
        while True:
            added = _Charge(self, kind, plan, subscription, code).drawn()
            alone = {
                **given,
                "plans": [{**plan, "charges": [added["charge"]]}],
                "billable_metrics": [added["metric"]],
                "events": added["events"],
                "pricing_units": added["pricing_units"],
                "subscriptions": [subscription],
            }
            try:
                outcome = rate({"as_of": written(self.as_of), "given": alone})
            except UnsettledError:
                continue
            fees = [fee for invoice in outcome.invoices for fee in invoice.fees]
            fees += [*outcome.alone, *(fee for _, fee in outcome.usage)]
            # money and quantities have at most 15 digits
            if sum(fee.amount_cents for fee in fees) < 10**14 and largest_total(added) < 10**15:
                return added


class _Charge:
    """One charge in the making."""

    def __init__(self, book: _Book, kind: Kind, plan: Row, subscription: Row, code: str) -> None:
        self.book, self.kind, self.plan, self.subscription, self.code = book, kind, plan, subscription, code
        self.rng = book.rng
        self.scale = self.rng.choice(SCALES)
        if kind.aggregation in {"count_agg", "unique_count_agg"}:
            self.scale = self.rng.choice(SCALES[:2])
        self.filters: list[Row] = []
        self.group_keys: set[str] = set()
        self.metric = self._metric()

    def drawn(self) -> Row:
        """The charge, its metric, its events and its pricing unit."""
        rng, kind = self.rng, self.kind
        charge: Row = {
            "code": f"charge-{self.code}",
            "billable_metric_code": self.metric["code"],
            "charge_model": kind.model,
            "pay_in_advance": kind.in_advance,
            "prorated": kind.prorated,
            "filters": self._filters(),
        }
        charge["properties"] = self._properties()
        for item in charge["filters"]:
            item["properties"] = self._properties()
        if kind.in_advance:
            charge["invoiceable"] = rng.random() < 0.8
        elif rng.random() < 0.2:
            charge["min_amount_cents"] = rng.choice((1, 999, 12345, 10**6))
        pricing_units = []
        if rng.random() < 0.08 and kind.model != "dynamic" and self.scale.price_largest < 100:
            unit = {"code": f"unit-{self.code}", "name": "Tokens", "exponent": rng.choice((0, 2, 3))}
            pricing_units.append(unit)
            conversion = decimal_text(Fraction(rng.randint(1, 3000), 1000))
            charge["applied_pricing_unit"] = {"code": unit["code"], "conversion_rate": conversion}
        return {"charge": charge, "metric": self.metric, "events": self._events(), "pricing_units": pricing_units}

    def _metric(self) -> Row:
        rng, kind = self.rng, self.kind
        metric: Row = {
            "code": f"m-{self.code}",
            "aggregation_type": kind.aggregation,
            "field_name": None if kind.aggregation == "count_agg" else rng.choice(("n", "value", "Größe, brutto")),
            "recurring": kind.recurring,
            "filters": [],
        }
        if rng.random() < 0.15:
            metric["event_code"] = f"e-{self.code}"
        if kind.aggregation == "weighted_sum_agg":
            metric["weighted_interval"] = "seconds"
        settled = not (kind.recurring and kind.in_advance) and not (kind.prorated and kind.model == "graduated")
        if settled and rng.random() < 0.3:
            metric["rounding_function"] = rng.choice(("round", "ceil", "floor"))
            metric["rounding_precision"] = rng.choice((None, 0, 1, 2, 5, -1, -2))
        if kind.aggregation == "sum_agg" and self.scale.decimals <= 3 and rng.random() < 0.15:
            name = metric["field_name"]
            metric["expression"], self.read = rng.choice(
                (
                    ("round(event.properties.a * event.properties.b, 2)", ("a", "b")),
                    ("event.properties.a + event.properties.b - 1", ("a", "b")),
                    ("ceil((event.properties.a + 3) * 0.25)", ("a",)),
                    ("round(event.properties.a / 8, 1)", ("a",)),
                )
            )
            metric["field_name"] = name
        return metric

    # ---- filters and prices

    def _filters(self) -> list[Row]:
        rng = self.rng
        if rng.random() < 0.55:
            return []
        keys = rng.sample(("region", "cloud", "tier"), rng.choice((1, 1, 2, 2, 3)))
        self.metric["filters"] = [{"key": key, "values": [f"{key[0]}{i}" for i in range(1, 4)]} for key in keys]
        found: list[Row] = []
        for number in range(rng.randint(1, 4)):
            values = {}
            for key in sorted(rng.sample(keys, rng.randint(1, len(keys)))):
                listed = [f"{key[0]}{i}" for i in range(1, 4)]
                values[key] = rng.choice(([ALL_FILTER_VALUES], rng.sample(listed, rng.choice((1, 1, 2)))))
            found.append({"invoice_display_name": f"F{number + 1}", "values": values})
        while not self._is_clear(found):
            found.pop()
        return found

    def _is_clear(self, filters: list[Row]) -> bool:
        """Whether no two filters of the same keys overlap in part: such a plan is refused."""
        for one, other in itertools.combinations(bucket_list({"filters": filters}, self.metric)[:-1], 2):
            shared = one.allowed.keys() == other.allowed.keys()
            shared = shared and all(one.allowed[key] & other.allowed[key] for key in one.allowed)
            try:
                beats(one, other)
            except UnsettledError:
                if shared:
                    return False
        return True

    def _properties(self) -> Row:
        rng, model = self.rng, self.kind.model
        found: Row = {}
        if model == "standard":
            found["amount"] = self._price()
        elif model in _RANGED:
            found[_RANGED[model]] = self._ranges("per_unit_amount")
        elif model == "graduated_percentage":
            found["graduated_percentage_ranges"] = self._ranges("rate")
        elif model == "package":
            size = rng.choice((1, 2, 10, 1000)) if self.scale.largest < 10**6 else rng.choice((10**6, 10**9))
            amount = self._price() if size < 10**6 else str(rng.randint(0, 50))
            free = rng.choice((0, 0, 3, 10, size))
            found |= {"amount": amount, "package_size": size, "free_units": free}
        elif model == "percentage":
            found |= self._percentage()
        if rng.random() < 0.3:
            found["pricing_group_keys"] = rng.sample(("provider", "team id"), rng.choice((1, 1, 2)))
            self.group_keys |= set(found["pricing_group_keys"])
        return found

    def _price(self) -> str:
        rng, scale = self.rng, self.scale
        if rng.random() < 0.1:
            return "0"
        decimals = rng.randint(0, scale.price_decimals)
        if scale.price_largest == 0:
            return decimal_text(Fraction(rng.randint(0, 9), 10**scale.price_decimals))
        whole = rng.choice((rng.randint(0, scale.price_largest), scale.price_largest))
        return decimal_text(Fraction(whole * 10**decimals + rng.randrange(10**decimals), 10**decimals))

    def _ranges(self, price: str) -> list[Row]:
        rng = self.rng
        style = rng.choice((1, 1, 0))  # integer-style, or touching
        walk = self.kind.prorated and self.kind.model == "graduated"
        if walk and self.kind.aggregation == "sum_agg" and self.scale.decimals:
            style = 0
        top = max(6, min(self.scale.largest, 10**12))
        if self.kind.aggregation in {"count_agg", "unique_count_agg"}:
            top = 12
        bounds = sorted(rng.sample(range(1, top + 1), rng.choice((0, 1, 2, 3))))
        bounds = [bound for i, bound in enumerate(bounds) if i == 0 or bound - bounds[i - 1] > 2]
        found, begin = [], 0
        for bound in [*bounds, None]:
            flat = rng.choice(("0", "0", "2", "0.5", "100"))
            end: Any = bound
            if bound is not None and style == 0 and rng.random() < 0.3:
                end = f"{bound}.5"
            found.append({"from_value": begin, "to_value": end, price: self._price(), "flat_amount": flat})
            begin = end if style == 0 else (bound or 0) + style
        return found

    def _percentage(self) -> Row:
        rng, kind = self.rng, self.kind
        found: Row = {"rate": rng.choice(("0", "1.3", "2.99", "5", "100", "0.125", "33.333333333333"))}
        if self.scale.largest > 10**6:
            found["rate"] = rng.choice(("0", "0.000000000001", "0.00002"))
        if rng.random() < 0.6:
            found["fixed_amount"] = rng.choice(("0", "1", "2.5", "0.00001"))
        allowance = kind.aggregation in {"count_agg", "sum_agg", "unique_count_agg"}
        limits = kind.aggregation in {"count_agg", "sum_agg", "max_agg"} or (allowance and not kind.recurring)
        if limits and rng.random() < 0.4:
            found["per_transaction_min_amount"] = rng.choice((None, "0.25", "1.75"))
            found["per_transaction_max_amount"] = rng.choice((None, "2", "12"))
            allowance = True
        if allowance and rng.random() < 0.5:
            found["free_units_per_events"] = rng.choice((1, 2, 3, 5))
        if allowance and rng.random() < 0.5:
            found["free_units_per_total_aggregation"] = rng.choice(("1", "3", "3", "10", "25.5", "250"))
        return {key: value for key, value in found.items() if value is not None}

    # ---- events

    def _events(self) -> list[Row]:
        rng, kind = self.rng, self.kind
        count = rng.choice((0, 1, 2, 3, 5)) if kind.in_advance else rng.choice((0, 1, 3, 6, 10, 18))
        if self.scale.largest >= 10**12:
            count = min(count, 3)
        found: list[Row] = []
        for _ in range(count):
            at = self._instant()
            if found and rng.random() < 0.15:
                at = instant(rng.choice(found)["timestamp"])
            event: Row = {
                "transaction_id": f"t{next(self.book.ids)}",
                "external_subscription_id": self.subscription["external_id"],
                "code": self.metric.get("event_code") or self.metric["code"],
                "timestamp": self._written(at),
                "received_at": self._received(at),
                "properties": self._event_properties(),
            }
            if kind.model == "dynamic":
                event["precise_total_amount_cents"] = self._precise()
            found.append(event)
        if found and "expression" not in self.metric and rng.random() < 0.15:
            # a second event with the id of a first one never counts
            twin = {**rng.choice(found), "properties": self._event_properties()}
            found.append({**twin, "timestamp": found[0]["timestamp"]} if rng.random() < 0.3 else twin)
        return found

    def _instant(self) -> datetime:
        rng, book = self.rng, self.book
        if rng.random() < 0.35:
            return rng.choice(book.bounds_of) + rng.choice((-2, -1, 0, 1, 1000, 999)) * _TICK
        first = book.start - timedelta(
            days=40 if self.kind.recurring and self.kind.aggregation != "weighted_sum_agg" else 3
        )
        span = book.as_of + timedelta(days=2) - first
        at = first + span * rng.random()
        precision = rng.choice((1, 1, 1000, 10**6, 60 * 10**6, 86400 * 10**6))
        micros = (at - datetime(2020, 1, 1, tzinfo=UTC)) // _TICK
        return datetime(2020, 1, 1, tzinfo=UTC) + micros // precision * precision * _TICK

    def _written(self, at: datetime) -> str:
        rng = self.rng
        if rng.random() < 0.1:
            # digits beyond the microsecond are cut
            return written(at, beyond="987")
        if rng.random() < 0.1:
            return written(at, hours=rng.choice((-5, 2, 13)))
        return written(at)

    def _received(self, at: datetime) -> str | None:
        rng = self.rng
        if rng.random() < 0.8:
            return None
        if self.kind.in_advance:
            return written(at + timedelta(seconds=rng.choice((1, 86400, 3 * 86400))))
        bound = rng.choice(self.book.bounds_of)
        return written(max(at, rng.choice((at + timedelta(seconds=rng.randint(0, 3)), bound - _TICK, bound))))

    def _event_properties(self) -> Row:
        rng, kind = self.rng, self.kind
        found: Row = {}
        for item in self.metric["filters"]:
            if rng.random() < 0.85:
                found[item["key"]] = rng.choice([*item["values"], *item["values"], "elsewhere"])
        for key in sorted(self.group_keys):
            value = rng.choice(("aws", "aws", "AWS", "gcp", 7, "7", "", None, "é\"'", "missing"))
            if value != "missing":
                found[key] = value
        name = self.metric["field_name"]
        if "expression" in self.metric:
            found |= {key: decimal_text(self._value()) for key in self.read if rng.random() < 0.93}
        elif kind.aggregation == "unique_count_agg":
            if rng.random() < 0.95:
                found[name] = rng.choice(("a", "a", "b", "b", "c", "A", "", " "))
            if rng.random() < 0.6:
                found["operation_type"] = rng.choice(("add", "remove", "remove"))
        elif kind.aggregation != "count_agg":
            found[name] = self._value_text()
            if found[name] is None:
                del found[name]
        return found

    def _value_text(self) -> Any:
        rng = self.rng
        if rng.random() < 0.06:
            return rng.choice(NO_NUMBERS)
        value = self._value()
        if value.denominator == 1 and rng.random() < 0.1:
            return int(value)
        text = decimal_text(value)
        return rng.choice((text, text, text, text, f"0{text}" if value >= 0 else text))

    def _value(self) -> Fraction:
        rng, scale = self.rng, self.scale
        if rng.random() < 0.08 and not (self.kind.in_advance and self.kind.model in {"percentage", "dynamic"}):
            return Fraction(0)
        decimals = rng.choice((0, scale.decimals))
        top = scale.largest
        whole = top if rng.random() < 0.1 else rng.randint(0, top)
        value = Fraction(whole * 10**decimals + rng.randrange(10**decimals), 10**decimals)
        in_doubt = self.kind.in_advance and self.kind.model != "standard"
        if scale.signed and rng.random() < (0.05 if in_doubt else 0.3):
            value = -value
        return value

    def _precise(self) -> str | None:
        rng = self.rng
        if rng.random() < 0.1:
            return None
        return decimal_text(Fraction(rng.randint(0, 10**6), 10 ** rng.choice((0, 1, 3, 6))))


def with_plan_changes(case: Row) -> Row:
    """The case with plan changes, ends and new starts under each subscription's id; what that must give is not worked out."""
    rng, given, as_of = random.Random(case["case"]), copy.deepcopy(case["given"]), instant(case["as_of"])
    plans = {plan["code"]: plan for plan in given["plans"]}
    for row in list(given["subscriptions"]):
        plan = plans[row["plan_code"]]
        plan |= {"amount_cents": rng.choice((3000, 10000)), "pay_in_advance": rng.random() < 0.4}
        at, last = instant(row["created_at"]), row
        for number in range(rng.choice((1, 1, 2))):
            at += ((as_of - at) * rng.uniform(0.05, 0.8)) // _DAY * _DAY + rng.choice((timedelta(), _DAY / 2))
            if not instant(last["created_at"]) < at < as_of:
                break
            changed = copy.deepcopy(plan)
            changed |= {"code": f"{plan['code']}-{number}", "amount_cents": rng.choice((500, 3000, 20000))}
            changed["interval"] = rng.choice((plan["interval"], "monthly", "weekly"))
            changed["charges"] = [charge for charge in changed["charges"] if rng.random() < 0.85]
            for charge in changed["charges"]:
                charge["code"] += f"-{number}"
            given["plans"].append(changed)
            ended, last["terminated_at"] = last["terminated_at"], written(at) if rng.random() < 0.15 else None
            moment = {"created_at": written(at), "subscription_at": written(at)}
            last = {**row, "plan_code": changed["code"], **moment, "terminated_at": None}
            if ended and instant(ended) > at:
                last["terminated_at"] = ended
            given["subscriptions"].append(last)
    return {**case, "case": f"{case['case']}_changed", "given": given, "expect": {}}


def largest_total(added: Row) -> Fraction:
    """What the events of a metric can come to."""
    texts = [as_text(event["properties"].get(added["metric"]["field_name"])) for event in added["events"]]
    return sum((abs(numeric(text) or 0) for text in texts), Fraction(0))


def written(at: datetime, hours: int = 0, beyond: str = "") -> str:
    """A time in RFC 3339, perhaps with an offset, perhaps with more digits than count."""
    local = (at + timedelta(hours=hours)).replace(tzinfo=None)
    text = local.isoformat(timespec="microseconds" if local.microsecond or beyond else "seconds") + beyond
    return text + (f"{'+' if hours > 0 else '-'}{abs(hours):02}:00" if hours else "Z")


def with_expectation(case: Row) -> Row:
    """The case with what the oracle expects of it."""
    return {**case, "expect": expectation(rate(case))}


def fees_count(cases: Iterable[Row]) -> int:
    """How many rated fees the cases assert."""
    return sum(
        fee["type"] == "charge" for case in cases for invoice in case["expect"]["invoices"] for fee in invoice["fees"]
    )
