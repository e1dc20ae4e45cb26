"""Do the rows of an organisation fit together: keys, references, currencies, order of times."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from dagster_project.lib.book._accounts import InvoiceMatch, Payment, Subscription, Wallet
from dagster_project.lib.book._catalog import BillableMetric, CatalogRow, Plan
from dagster_project.lib.book._corrections import ReplacementError, replacement
from dagster_project.lib.book._entries import Entry, Tables
from dagster_project.lib.book._places import Key, Place, Problems
from dagster_project.lib.book._plan_checks import check_computed_fields, check_metric, check_plan
from dagster_project.lib.book._problems import nearest

_WITH_IDS = (
    "applied_coupons",
    "wallet_transactions",
    "invoices_one_off",
    "payments",
    "invoice_voids",
    "event_corrections",
)


def check_tables(tables: Tables, problems: Problems) -> None:
    """Report everything in one organisation's rows that cannot be billed."""
    _check_keys(tables, problems)
    references = References(tables, problems)
    metrics: dict[str, list[BillableMetric]] = {}
    for metric in tables.billable_metrics:
        metrics.setdefault(metric.model.code, []).append(metric.model)
        check_metric(metric.model, metric.place, problems)
    check_computed_fields([(metric.model, metric.place) for metric in tables.billable_metrics], problems)
    for plan in tables.plans:
        check_plan(plan.model, plan.place, metrics, problems)
        check_plan_references(plan, references)
    _check_organization(tables, problems)
    _check_catalog(tables, references, problems)
    _check_customers(tables, references, problems)
    _check_subscriptions(tables, references, problems)
    _check_rate_cards(tables, references, problems)
    _check_credits(tables, references, problems)
    _check_invoices(tables, references, problems)
    _check_alerts(tables, references, problems)


class References:
    """The codes that exist, and the check that a named one is among them."""

    def __init__(self, tables: Tables, problems: Problems) -> None:
        self.problems = problems
        self.known: Mapping[str, set[str]] = {
            "tax": _names(tables, "taxes"),
            "pricing unit": _names(tables, "pricing_units"),
            "billable metric": _names(tables, "billable_metrics"),
            "add-on": _names(tables, "add_ons"),
            "plan": _names(tables, "plans"),
            "coupon": _names(tables, "coupons"),
            "wallet": _names(tables, "wallets"),
            "customer": _names(tables, "customers"),
            "subscription": _names(tables, "subscriptions"),
            "billing entity": {entity.code for entity in tables.organization.model.billing_entities},
        }

    def check(self, what: str, name: str | None, place: Place, *keys: Key, of: str = "") -> None:
        """Report a name that no row of the book has; `of` says whose it is."""
        if name is not None and name not in self.known[what]:
            whose = f" ({of})" if of else ""
            self.problems.add(place, f"a {what} of the book: {nearest(name, self.known[what])}{whose}", *keys)

    def check_all(self, what: str, names: Sequence[str], place: Place, *keys: Key, of: str = "") -> None:
        """Report unknown names of a list, and names that it has twice."""
        for index, name in enumerate(names):
            self.check(what, name, place, *keys, index, of=of)
        self.problems.add_repeated(place, names, *keys)


def _names(tables: Tables, table: str) -> set[str]:
    """The codes or external ids of a table's rows, refused ones included."""
    field = "external_id" if table in {"customers", "subscriptions"} else "code"
    names = {getattr(entry.model, field) for entry in getattr(tables, table)}
    return names | tables.invalid.get(table, set())


def _check_keys(tables: Tables, problems: Problems) -> None:
    def version(row: CatalogRow) -> Hashable:
        return row.code, row.effective_at

    keys: Mapping[str, tuple[str, Callable[[Any], Hashable]]] = {
        **{
            table: ("code", version)
            for table in (
                "taxes",
                "pricing_units",
                "billable_metrics",
                "add_ons",
                "plans",
                "coupons",
            )
        },
        "customers": ("external_id", lambda row: row.external_id),
        "subscriptions": ("created_at", lambda row: (row.external_id, row.created_at)),
        "rate_cards": (
            "effective_at",
            lambda row: (row.external_customer_id, row.plan_code, row.effective_at),
        ),
        "wallets": ("code", lambda row: row.code),
        "credit_notes": ("code", lambda row: row.code),
        "alerts": ("code", lambda row: row.code),
        "expected_sources": ("path", lambda row: row.path or row.relation),
        **{table: ("id", lambda row: row.id) for table in _WITH_IDS},
    }
    for table, (field, key_of) in keys.items():
        check_keys(getattr(tables, table), field, key_of, problems)


def check_keys(
    entries: Sequence[Entry[Any]], field: str, key_of: Callable[[Any], Hashable], problems: Problems
) -> None:
    """Report rows with the key of an earlier row."""
    first: dict[Hashable, Place] = {}
    for entry in entries:
        key = key_of(entry.model)
        if key is None:
            continue
        if key in first:
            earlier = first[key]
            line = f" line {earlier.line}" if earlier.line else ""
            problems.add(entry.place, f"a key of its own; {earlier.file}{line} has the same", field)
        first.setdefault(key, entry.place)


def check_plan_references(plan: Entry[Plan], references: References) -> None:
    """Report codes in a plan that no row of the book has."""
    model, place = plan.model, plan.place
    references.check_all("tax", model.tax_codes, place, "tax_codes")
    if model.minimum_commitment:
        references.check_all("tax", model.minimum_commitment.tax_codes, place, "minimum_commitment", "tax_codes")
    for index, charge in enumerate(model.charges):
        at, of = place.at("charges", index), f"charge {charge.code} of plan {model.code}"
        references.check("billable metric", charge.billable_metric_code, at, "billable_metric_code", of=of)
        references.check_all("tax", charge.tax_codes, at, "tax_codes", of=of)
        unit = charge.applied_pricing_unit
        if unit is not None:
            references.check("pricing unit", unit.code, at, "applied_pricing_unit", "code", of=of)
    for index, fixed_charge in enumerate(model.fixed_charges):
        at, of = place.at("fixed_charges", index), f"fixed charge {fixed_charge.code} of plan {model.code}"
        references.check("add-on", fixed_charge.add_on_code, at, "add_on_code", of=of)
        references.check_all("tax", fixed_charge.tax_codes, at, "tax_codes", of=of)


def _check_organization(tables: Tables, problems: Problems) -> None:
    entities = tables.organization.model.billing_entities
    codes = [entity.code for entity in entities]
    problems.add_repeated(tables.organization.place, codes, "billing_entities", field="code")
    taken = {tables.organization.model.document_number_prefix}
    for index, entity in enumerate(entities):
        prefix = entity.document_number_prefix
        if prefix is not None and prefix in taken:
            wanted = "a prefix of its own: each billing entity counts its invoices by itself"
            problems.add(tables.organization.place, wanted, "billing_entities", index, "document_number_prefix")
        taken.add(prefix)


def _check_catalog(tables: Tables, references: References, problems: Problems) -> None:
    for add_on in tables.add_ons:
        references.check_all("tax", add_on.model.tax_codes, add_on.place, "tax_codes")
    for entry in tables.coupons:
        coupon, place = entry.model, entry.place
        targets = coupon.applies_to
        references.check_all("plan", targets.plan_codes, place, "applies_to", "plan_codes")
        references.check_all(
            "billable metric",
            targets.billable_metric_codes,
            place,
            "applies_to",
            "billable_metric_codes",
        )
        needed = ("percentage_rate",) if coupon.coupon_type == "percentage" else ("amount_cents", "amount_currency")
        for key in needed:
            if getattr(coupon, key) is None:
                problems.add(place, f"a value: a {coupon.coupon_type} coupon needs it", key)
        if coupon.frequency == "recurring" and coupon.frequency_duration is None:
            problems.add(place, "the number of periods of a recurring coupon", "frequency_duration")
        if coupon.expiration == "time_limit" and coupon.expiration_at is None:
            problems.add(place, "the end of a coupon with a time limit", "expiration_at")


def _check_customers(tables: Tables, references: References, problems: Problems) -> None:
    parents = {entry.model.external_id: entry.model.parent_external_id for entry in tables.customers}
    for entry in tables.customers:
        customer, place = entry.model, entry.place
        references.check_all("tax", customer.tax_codes, place, "tax_codes")
        references.check("customer", customer.parent_external_id, place, "parent_external_id")
        references.check("billing entity", customer.billing_entity_code, place, "billing_entity_code")
        times = [str(change.effective_at) for change in customer.timezone_changes]
        problems.add_repeated(place, times, "timezone_changes", field="effective_at")
        if customer.parent_external_id == customer.external_id:
            problems.add(place, "a customer that is not below this one", "parent_external_id")
        elif customer.parent_external_id is not None and parents.get(customer.parent_external_id) is not None:
            wanted = "a customer without a parent of its own: one that pays for its children is nobody's child"
            problems.add(place, wanted, "parent_external_id")


def _check_subscriptions(tables: Tables, references: References, problems: Problems) -> None:
    currencies = {entry.model.external_id: entry.model.currency for entry in tables.customers}
    plans: dict[str, list[Plan]] = {}
    for plan in tables.plans:
        plans.setdefault(plan.model.code, []).append(plan.model)
    owners: dict[str, str] = {}
    changes: dict[str, tuple[bool, set[str]]] = {}
    for entry in sorted(tables.subscriptions, key=lambda entry: entry.model.created_at):
        row, place = entry.model, entry.place
        references.check("customer", row.external_customer_id, place, "external_customer_id")
        references.check("plan", row.plan_code, place, "plan_code")
        owner = owners.setdefault(row.external_id, row.external_customer_id)
        if owner != row.external_customer_id:
            problems.add(
                place,
                f"{owner}, the customer of the other rows of {row.external_id}",
                "external_customer_id",
            )
        start = row.subscription_at or row.created_at
        if row.ending_at is not None and row.ending_at <= start:
            problems.add(place, "a time after the subscription's start", "ending_at")
        if row.terminated_at is not None and row.terminated_at < min(start, row.created_at):
            problems.add(place, "a time that is not before the subscription", "terminated_at")
        for index, pause in enumerate(row.pauses):
            if pause.to is not None and pause.to <= pause.from_:
                problems.add(place, "a time after from", "pauses", index, "to")
        starts = [str(pause.from_) for pause in row.pauses]
        problems.add_repeated(place, starts, "pauses", field="from")
        versions = plans.get(row.plan_code, [])
        _check_fixed_charge_units(entry, versions, problems)
        priced = _currencies(row, versions)
        currency = currencies.get(row.external_customer_id)
        if currency is not None and priced and currency not in priced:
            payer = f"as customer {row.external_customer_id} pays"
            wanted = f"a plan in {currency}, {payer}, not in {', '.join(sorted(priced))}"
            problems.add(place, wanted, "plan_code")
        running, before = changes.get(row.external_id, (False, set()))
        if running and before and priced and not before & priced:
            wanted = f"a plan in {', '.join(sorted(before))}, since {row.external_id} runs on it"
            problems.add(place, wanted, "plan_code")
        changes[row.external_id] = (row.terminated_at is None, priced)


def _check_rate_cards(tables: Tables, references: "References", problems: Problems) -> None:
    for entry in tables.rate_cards:
        row, place = entry.model, entry.place
        references.check("customer", row.external_customer_id, place, "external_customer_id")
        references.check("plan", row.plan_code, place, "plan_code")
        if row.ending_at is not None and row.ending_at <= row.effective_at:
            problems.add(place, "a time after effective_at", "ending_at")


def _currencies(row: Subscription, versions: Sequence[Plan]) -> set[str]:
    if row.plan_overrides is not None and row.plan_overrides.amount_currency is not None:
        return {row.plan_overrides.amount_currency}
    return {plan.amount_currency for plan in versions}


def _check_fixed_charge_units(entry: Entry[Subscription], plans: Sequence[Plan], problems: Problems) -> None:
    known = {charge.code for plan in plans for charge in plan.fixed_charges}
    changes = entry.model.fixed_charge_units
    for index, change in enumerate(changes):
        if plans and change.code not in known:
            wanted = f"a fixed charge of plan {entry.model.plan_code}: {nearest(change.code, known)}"
            problems.add(entry.place, wanted, "fixed_charge_units", index, "code")
    times = [f"{change.code} {change.effective_at}" for change in changes]
    problems.add_repeated(entry.place, times, "fixed_charge_units", field="effective_at")


def _check_credits(tables: Tables, references: References, problems: Problems) -> None:
    parents = {entry.model.external_id: entry.model.parent_external_id for entry in tables.customers}
    for coupon in tables.applied_coupons:
        references.check("customer", coupon.model.external_customer_id, coupon.place, "external_customer_id")
        references.check("coupon", coupon.model.coupon_code, coupon.place, "coupon_code")
    for wallet in tables.wallets:
        row, place = wallet.model, wallet.place
        references.check("customer", row.external_customer_id, place, "external_customer_id")
        references.check_all(
            "billable metric",
            row.applies_to.billable_metric_codes,
            place,
            "applies_to",
            "billable_metric_codes",
        )
        problems.add_repeated(place, row.applies_to.fee_types, "applies_to", "fee_types")
        if "true_up" in row.applies_to.fee_types:
            at = row.applies_to.fee_types.index("true_up")
            problems.add(
                place, "charge: a true-up is a fee of its charge and is paid like it", "applies_to", "fee_types", at
            )
        if parents.get(row.external_customer_id) is not None:
            wanted = f"{parents[row.external_customer_id]}, the parent, which pays for {row.external_customer_id}"
            problems.add(place, wanted, "external_customer_id")
        _check_top_up_rules(row, place, problems)
        if row.rate_amount == 0:
            problems.add(place, "a decimal above 0: what one credit is worth", "rate_amount")
    for movement in tables.wallet_transactions:
        references.check("wallet", movement.model.wallet_code, movement.place, "wallet_code")


def _check_invoices(tables: Tables, references: References, problems: Problems) -> None:
    for invoice in tables.invoices_one_off:
        references.check("customer", invoice.model.external_customer_id, invoice.place, "external_customer_id")
        if not invoice.model.fees:
            problems.add(invoice.place, "at least one fee", "fees")
        for index, fee in enumerate(invoice.model.fees):
            references.check("add-on", fee.add_on_code, invoice.place, "fees", index, "add_on_code")
            references.check_all("tax", fee.tax_codes, invoice.place, "fees", index, "tax_codes")
    fees = {"subscription", "commitment", "credit"}
    for kind in ("plan", "add-on", "wallet"):
        fees |= references.known[kind]
    for plan in tables.plans:
        fees |= {charge.code for charge in plan.model.charges}
        fees |= {charge.code for charge in plan.model.fixed_charges}
    for note in tables.credit_notes:
        _check_match(note.model.invoice, note.place, references)
        if not note.model.items:
            problems.add(note.place, "at least one item", "items")
        for index, item in enumerate(note.model.items):
            if item.fee not in fees and not tables.invalid.keys() & {"plans", "add_ons", "wallets"}:
                wanted = f"subscription, or the code of a charge, add-on or wallet: {nearest(item.fee, fees)}"
                problems.add(note.place, wanted, "items", index, "fee")
    for payment in tables.payments:
        _check_payment(payment.model, payment.place, references)
    for void in tables.invoice_voids:
        _check_match(void.model.invoice, void.place, references)
    for correction in tables.event_corrections:
        row, place = correction.model, correction.place
        references.check("subscription", row.external_subscription_id, place, "external_subscription_id")
        if row.action == "replace" and row.event is None:
            problems.add(place, "the event that replaces it", "event")
        if row.action == "cancel" and row.event is not None:
            problems.add(place, "nothing: a cancelled event has no successor", "event")
        try:
            replacement(row, [metric.model for metric in tables.billable_metrics])
        except ReplacementError as error:
            problems.add(place, str(error), "event")
    for source in tables.expected_sources:
        if (source.model.path is None) == (source.model.relation is None):
            problems.add(source.place, "either a path or a relation", "path")


def _check_payment(payment: Payment, place: Place, references: References) -> None:
    if (payment.invoice is None) == (payment.fee is None):
        references.problems.add(place, "either an invoice or a fee", "invoice")
    if payment.invoice is not None:
        _check_match(payment.invoice, place, references)
    if payment.fee is not None:
        at = place.at("fee")
        references.check("subscription", payment.fee.subscription, at, "subscription")
        if payment.fee.transaction_id is None and payment.fee.date is None:
            wanted = "the transaction_id of the fee's event, or the date of the fee"
            references.problems.add(at, wanted, "transaction_id")


def _check_top_up_rules(wallet: Wallet, place: Place, problems: Problems) -> None:
    least, most = wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents
    if least is not None and most is not None and least > most:
        problems.add(place, f"at most paid_top_up_max_amount_cents ({most})", "paid_top_up_min_amount_cents")
    for index, rule in enumerate(wallet.recurring_transaction_rules):
        at = ("recurring_transaction_rules", index)
        of_interval, is_target = rule.trigger == "interval", rule.method == "target"
        for key, wanted, setting in (
            ("interval", of_interval, f"trigger {rule.trigger}"),
            ("threshold_credits", not of_interval, f"trigger {rule.trigger}"),
            ("target_ongoing_balance", is_target, f"method {rule.method}"),
        ):
            if (getattr(rule, key) is not None) != wanted:
                problems.add(place, f"{'a value' if wanted else 'nothing'} for {setting}", *at, key)
        credits = (rule.paid_credits or 0, rule.granted_credits or 0)
        if is_target and any(credits):
            wanted_credits = "no credits for method target: what is missing is bought"
            problems.add(place, wanted_credits, *at, "paid_credits" if credits[0] else "granted_credits")
        if not is_target and not any(credits):
            problems.add(place, "paid_credits or granted_credits above 0 for method fixed", *at, "paid_credits")


def _check_alerts(tables: Tables, references: References, problems: Problems) -> None:
    for entry in tables.alerts:
        alert, place = entry.model, entry.place
        of_wallet = alert.alert_type.startswith("wallet_")
        for key, wanted in (("external_subscription_id", not of_wallet), ("wallet_code", of_wallet)):
            if (getattr(alert, key) is not None) != wanted:
                problems.add(place, f"{'a value' if wanted else 'nothing'} for {alert.alert_type}", key)
        references.check("subscription", alert.external_subscription_id, place, "external_subscription_id")
        references.check("wallet", alert.wallet_code, place, "wallet_code")
        of_metric = alert.alert_type.startswith("billable_metric_")
        if (alert.billable_metric_code is not None) != of_metric:
            wanted_metric = "a value" if of_metric else "nothing"
            problems.add(place, f"{wanted_metric} for {alert.alert_type}", "billable_metric_code")
        references.check("billable metric", alert.billable_metric_code, place, "billable_metric_code")
        if not alert.thresholds:
            problems.add(place, "at least one threshold", "thresholds")
        seen: set[tuple[object, ...]] = set()
        for index, threshold in enumerate(alert.thresholds):
            at = ("thresholds", index)
            key_of = ("recurring",) if threshold.recurring else (threshold.value,)
            if key_of in seen:
                problems.add(place, "a value of its own, and at most one that recurs", *at, "value")
            seen.add(key_of)
            if threshold.recurring and (of_wallet or threshold.value <= 0):
                problems.add(place, "false for a wallet, and a value above 0 where it recurs", *at, "recurring")
            if alert.alert_type.endswith("_amount") and threshold.value != int(threshold.value):
                problems.add(place, "a whole number of minor units (cents)", *at, "value")


def _check_match(match: InvoiceMatch, place: Place, references: References) -> None:
    at = place.at("invoice")
    if (match.subscription is None) == (match.customer is None):
        references.problems.add(at, "either a subscription or a customer", "subscription")
    if match.issuing_date is None and match.nth is None:
        references.problems.add(at, 'the date of the invoice, such as "2024-03-01"', "issuing_date")
    references.check("subscription", match.subscription, at, "subscription")
    references.check("customer", match.customer, at, "customer")
