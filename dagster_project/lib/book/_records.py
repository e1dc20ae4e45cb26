"""From the validated rows of an organisation to records with the columns of raw_schema.py."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from pydantic import BaseModel

from dagster_project.lib.book._accounts import FeeMatch, InvoiceMatch
from dagster_project.lib.book._book import Record, RowValues, sha256
from dagster_project.lib.book._catalog import Address, BillableMetric, CustomAggregator, Plan
from dagster_project.lib.book._corrections import replacement
from dagster_project.lib.book._entries import Entry, Tables
from dagster_project.lib.book._overrides import private_plan_code
from dagster_project.lib.book._places import Place
from dagster_project.lib.book._plan_rows import plan_children, threshold_rows
from dagster_project.lib.book._reference import is_vat_number, vat_number_country
from dagster_project.lib.book._types import canonical_json, granted_seconds
from dagster_project.lib.expressions import parse_aggregator
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES_BY_NAME

Children = Mapping[str, Sequence[RowValues]]
# what may change later without making another row of it
_NOT_IDENTITY = {"id", "organization_id", "terminated_at", "settled_at"}
# what changes no figure of a period's lines before tax: how they are called, and what is asked for elsewhere
_NAMES = {"plan_name", "invoice_display_name", "billable_metric_name"}
_NO_PRICES = {"plan_taxes", "plan_usage_thresholds"}


def records(organization_id: str, name: str, tables: Tables, private_plans: Sequence[Entry[Plan]]) -> Iterator[Record]:
    """All records of one organisation, in the order of raw_schema.py's tables."""
    make = _Maker(organization_id, [metric.model for metric in tables.billable_metrics])
    yield make.organization(tables.organization, name)
    for tax in tables.taxes:
        yield make.tax(tax)
    for metric in tables.billable_metrics:
        yield make.billable_metric(metric)
    for add_on in tables.add_ons:
        yield make.add_on(add_on)
    for coupon in tables.coupons:
        yield make.coupon(coupon)
    for unit in tables.pricing_units:
        yield make.pricing_unit(unit)
    for plan in (*tables.plans, *private_plans):
        yield make.plan(plan)
    for customer in tables.customers:
        yield make.customer(customer)
    for subscription in tables.subscriptions:
        yield make.subscription(subscription)
    for applied_coupon in tables.applied_coupons:
        yield make.applied_coupon(applied_coupon)
    for wallet in tables.wallets:
        yield make.wallet(wallet)
    for movement in tables.wallet_transactions:
        yield make.wallet_transaction(movement)
    for invoice in tables.invoices_one_off:
        yield make.one_off_invoice(invoice)
    for note in tables.credit_notes:
        yield make.credit_note(note)
    for payment in tables.payments:
        yield make.payment(payment)
    for void in tables.invoice_voids:
        yield make.invoice_void(void)
    for correction in tables.event_corrections:
        yield make.event_correction(correction)
    for alert in tables.alerts:
        yield make.alert(alert)
    for source in tables.expected_sources:
        yield make.expected_source(source)


class _Maker:
    """Makes records; counts equal rows of a file, to number those without an id."""

    def __init__(self, organization_id: str, metrics: Sequence[BillableMetric]) -> None:
        self.organization_id = organization_id
        self.metrics = metrics
        self.occurrences: Counter[tuple[str, str, str]] = Counter()

    def _record(self, table: str, row: RowValues, place: Place, children: Children | None = None) -> Record:
        kept = {name: tuple(rows) for name, rows in (children or {}).items() if rows}
        hashed = {column: value for column, value in row.items() if column != "position"}
        if "price_hash" in RAW_TABLES_BY_NAME[table].columns:
            row = {**row, "price_hash": _price_hash(hashed, kept)}
        return Record(
            table=table,
            organization_id=self.organization_id,
            key=tuple(row[column] for column in RAW_TABLES_BY_NAME[table].key),
            row=row,
            children=kept,
            source_file=place.file,
            source_line=place.line,
            record_hash=sha256([hashed, kept]),
        )

    def _id(self, table: str, entry: Entry[Any]) -> str:
        """The row's own id, or one made of its content and its occurrence in the file."""
        if entry.model.id is not None:
            return str(entry.model.id)
        content = sha256(entry.model.model_dump(exclude=_NOT_IDENTITY, exclude_defaults=True))[:24]
        occurrence = (table, entry.place.file, content)
        self.occurrences[occurrence] += 1
        return f"{content}-{self.occurrences[occurrence]}"

    def organization(self, entry: Entry[Any], name: str) -> Record:
        model = entry.model
        entities = [
            {
                "billing_entity_code": entity.code,
                "billing_entity_name": entity.name or entity.code,
                **_address(entity),
                **_values(
                    entity,
                    "logo timezone default_currency eu_tax_management invoice_grace_period "
                    "net_payment_term "
                    "document_numbering document_number_prefix",
                ),
            }
            for entity in model.billing_entities
        ]
        row = {
            "organization_name": name,
            **_address(model),
            **_values(
                model,
                "logo timezone default_currency eu_tax_management invoice_grace_period "
                "net_payment_term "
                "finalize_zero_amount_invoice document_numbering document_number_prefix late_usage "
                "late_usage_limit_cents",
            ),
        }
        return self._record("organizations", row, entry.place, {"billing_entities": entities})

    def tax(self, entry: Entry[Any]) -> Record:
        model = entry.model
        row = {
            "tax_code": model.code,
            "effective_at": model.effective_at,
            "tax_name": model.name or model.code,
            "tax_rate": model.rate,
            "applied_to_organization": model.applied_to_organization,
        }
        return self._record("taxes", row, entry.place)

    def billable_metric(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"billable_metric_code": model.code, "effective_at": model.effective_at}
        custom = model.custom_aggregator
        weighted = model.aggregation_type == "weighted_sum_agg"
        row = {
            **key,
            "billable_metric_name": model.name or model.code,
            "event_code": model.event_code or model.code,
            **_values(model, "aggregation_type field_name"),
            "is_recurring": model.recurring,
            **_values(model, "expression rounding_function rounding_precision"),
            "weighted_interval": "seconds" if weighted else None,
            "custom_units_expression": custom.units if custom else None,
            "custom_amount_expression": custom.amount if custom else None,
        }
        values = [
            {
                **key,
                "key_position": i,
                "filter_key": item.key,
                "value_position": j,
                "filter_value": value,
            }
            for i, item in enumerate(model.filters, start=1)
            for j, value in enumerate(item.values, start=1)
        ]
        children: Children = {
            "billable_metric_filter_values": values,
            "custom_aggregator_steps": _custom_steps(key, custom),
        }
        return self._record("billable_metrics", row, entry.place, children)

    def add_on(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"add_on_code": model.code, "effective_at": model.effective_at}
        row = {
            **key,
            "add_on_name": model.name or model.code,
            **_values(model, "amount_cents amount_currency"),
        }
        return self._record("add_ons", row, entry.place, {"add_on_taxes": _taxes(key, model.tax_codes)})

    def coupon(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"coupon_code": model.code, "effective_at": model.effective_at}
        row = {
            **key,
            "coupon_name": model.name or model.code,
            **_values(
                model,
                "coupon_type amount_cents amount_currency percentage_rate frequency "
                "frequency_duration "
                "expiration expiration_at",
            ),
            "is_reusable": model.reusable,
        }
        targets = _targets(key, "plan", model.applies_to.plan_codes)
        targets += _targets(key, "billable_metric", model.applies_to.billable_metric_codes)
        return self._record("coupons", row, entry.place, {"coupon_targets": targets})

    def pricing_unit(self, entry: Entry[Any]) -> Record:
        model = entry.model
        row = {
            "pricing_unit_code": model.code,
            "effective_at": model.effective_at,
            "pricing_unit_name": model.name or model.code,
            "exponent": model.exponent,
        }
        return self._record("pricing_units", row, entry.place)

    def plan(self, entry: Entry[Plan]) -> Record:
        model = entry.model
        commitment = model.minimum_commitment
        row = {
            "plan_code": model.code,
            "effective_at": model.effective_at,
            "plan_name": model.name or model.code,
            "invoice_display_name": model.invoice_display_name,
            "plan_interval": model.interval,
            **_values(model, "amount_cents amount_currency"),
            "is_pay_in_advance": model.pay_in_advance,
            **_values(model, "bill_charges_monthly bill_fixed_charges_monthly"),
            "trial_period_days": model.trial_period,
            "minimum_commitment_amount_cents": commitment.amount_cents if commitment else None,
            "cascade_updates": model.cascade_updates,
            "phases": _json(model.phases) if entry.variant is None else None,
            "variant_of_plan_code": entry.variant.plan_code if entry.variant else None,
            "after_periods": entry.variant.after_periods if entry.variant else 0,
            "agreed_external_customer_id": entry.variant.external_customer_id if entry.variant else None,
            "agreed_from_at": entry.variant.agreed_from_at if entry.variant else None,
            "agreed_to_at": entry.variant.agreed_to_at if entry.variant else None,
            "position": entry.position,
        }
        return self._record("plans", row, entry.place, plan_children(model))

    def customer(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"external_customer_id": model.external_id}
        row = {
            **key,
            "customer_name": model.name or model.external_id,
            **_address(model),
            **_values(model, "currency timezone"),
            "vat_check": _vat_check(model.vat_check, model.tax_identification_number),
            "vat_number_country": vat_number_country(model.tax_identification_number),
            "parent_external_customer_id": model.parent_external_id,
            **_values(
                model,
                "invoice_grace_period net_payment_term finalize_zero_amount_invoice late_usage "
                "late_usage_limit_cents "
                "billing_entity_code locale payment_provider payment_provider_customer_id",
            ),
            "position": entry.position,
        }
        changes = [{**key, **_values(change, "effective_at timezone")} for change in model.timezone_changes]
        children: Children = {
            "customer_taxes": _taxes(key, model.tax_codes),
            "customer_timezone_changes": changes,
        }
        return self._record("customers", row, entry.place, children)

    def subscription(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"external_subscription_id": model.external_id, "created_at": model.created_at}
        private = model.plan_overrides is not None
        row = {
            **key,
            "external_customer_id": model.external_customer_id,
            "plan_code": private_plan_code(model) if private else model.plan_code,
            "base_plan_code": model.plan_code if private else None,
            "billing_time": model.billing_time,
            "subscription_at": model.subscription_at or model.created_at,
            **_values(model, "ending_at terminated_at"),
            "subscription_name": model.name,
            **_values(model, "purchase_order_number on_termination_credit_note on_termination_invoice"),
            "position": entry.position,
        }
        children: Children = {
            "subscription_usage_thresholds": threshold_rows(key, model.usage_thresholds or ()),
            "subscription_fixed_charge_units": [
                {**key, "fixed_charge_code": change.code, **_values(change, "effective_at units")}
                for change in model.fixed_charge_units
            ],
            "subscription_pauses": [
                {**key, "paused_from_at": pause.from_, "paused_to_at": pause.to} for pause in model.pauses
            ],
        }
        return self._record("subscriptions", row, entry.place, children)

    def applied_coupon(self, entry: Entry[Any]) -> Record:
        columns = (
            "external_customer_id coupon_code created_at terminated_at amount_cents "
            "amount_currency "
            "percentage_rate frequency frequency_duration"
        )
        identifier = self._id("applied_coupons", entry)
        row = {
            "applied_coupon_id": identifier,
            **_values(entry.model, columns),
            "position": entry.position,
        }
        return self._record("applied_coupons", row, entry.place)

    def wallet(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"wallet_code": model.code}
        row = {
            **key,
            "wallet_name": model.name or model.code,
            **_values(
                model,
                "external_customer_id rate_amount currency created_at expiration_at terminated_at "
                "priority "
                "paid_top_up_min_amount_cents paid_top_up_max_amount_cents",
            ),
            "position": entry.position,
        }
        targets = _targets(key, "fee_type", model.applies_to.fee_types)
        targets += _targets(key, "billable_metric", model.applies_to.billable_metric_codes)
        rules = [
            {
                **key,
                "rule_position": number,
                "trigger_type": rule.trigger,
                "rule_interval": rule.interval,
                **_values(
                    rule,
                    "threshold_credits method paid_credits granted_credits target_ongoing_balance started_at "
                    "expiration_at transaction_name",
                ),
            }
            for number, rule in enumerate(model.recurring_transaction_rules, start=1)
        ]
        return self._record("wallets", row, entry.place, {"wallet_targets": targets, "wallet_rules": rules})

    def wallet_transaction(self, entry: Entry[Any]) -> Record:
        model = entry.model
        settled_at = model.settled_at
        if settled_at is None and model.kind != "purchased":
            settled_at = model.created_at
        row = {
            "wallet_transaction_id": self._id("wallet_transactions", entry),
            "wallet_code": model.wallet_code,
            "transaction_kind": model.kind,
            **_values(model, "credits created_at"),
            "settled_at": settled_at,
            "priority": model.priority,
            "transaction_name": model.name,
            "position": entry.position,
        }
        return self._record("wallet_transactions", row, entry.place)

    def one_off_invoice(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"one_off_invoice_id": self._id("invoices_one_off", entry)}
        row = {
            **key,
            **_values(model, "external_customer_id created_at currency"),
            "position": entry.position,
        }
        fees: list[RowValues] = []
        taxes: list[RowValues] = []
        for number, fee in enumerate(model.fees, start=1):
            fee_key = {**key, "fee_position": number}
            fees.append(
                {
                    **fee_key,
                    **_values(fee, "add_on_code units unit_amount_cents invoice_display_name description"),
                }
            )
            taxes += _taxes(fee_key, fee.tax_codes)
        children: Children = {"one_off_fees": fees, "one_off_fee_taxes": taxes}
        return self._record("one_off_invoices", row, entry.place, children)

    def credit_note(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"credit_note_code": model.code}
        columns = "created_at credit_amount_cents refund_amount_cents offset_amount_cents reason"
        row = {
            **key,
            **_values(model, columns),
            **_match(model.invoice),
            "position": entry.position,
        }
        items = [
            {
                **key,
                "item_position": number,
                "fee_code": item.fee,
                "amount_cents": item.amount_cents,
            }
            for number, item in enumerate(model.items, start=1)
        ]
        return self._record("credit_notes", row, entry.place, {"credit_note_items": items})

    def payment(self, entry: Entry[Any]) -> Record:
        row = {
            "payment_id": self._id("payments", entry),
            **_values(entry.model, "amount_cents created_at"),
            **_match(entry.model.invoice or InvoiceMatch()),
            **_fee_match(entry.model.fee),
            "position": entry.position,
        }
        return self._record("payments", row, entry.place)

    def invoice_void(self, entry: Entry[Any]) -> Record:
        row = {
            "invoice_void_id": self._id("invoice_voids", entry),
            "voided_at": entry.model.voided_at,
            "is_regenerated": entry.model.regenerate,
            **_match(entry.model.invoice),
            "position": entry.position,
        }
        return self._record("invoice_voids", row, entry.place)

    def alert(self, entry: Entry[Any]) -> Record:
        model = entry.model
        key = {"alert_code": model.code}
        columns = "alert_type external_subscription_id wallet_code billable_metric_code created_at terminated_at"
        row = {
            **key,
            "alert_name": model.name or model.code,
            **_values(model, columns),
            "position": entry.position,
        }
        thresholds = [
            {
                **key,
                "threshold_position": number,
                "threshold_code": threshold.code,
                "threshold_value": threshold.value,
                "is_recurring": threshold.recurring,
            }
            for number, threshold in enumerate(model.thresholds, start=1)
        ]
        return self._record("alerts", row, entry.place, {"alert_thresholds": thresholds})

    def event_correction(self, entry: Entry[Any]) -> Record:
        model = entry.model
        row = {
            "event_correction_id": self._id("event_corrections", entry),
            **_values(model, "transaction_id external_subscription_id action reason created_at"),
            **replacement(model, self.metrics),
            "replacement_event": None if model.event is None else canonical_json(model.event),
            "position": entry.position,
        }
        return self._record("event_corrections", row, entry.place)

    def expected_source(self, entry: Entry[Any]) -> Record:
        model = entry.model
        row = {
            "expected_source": model.path or model.relation,
            "source_kind": "path" if model.path else "relation",
            **_values(model, "cadence complete_by"),
            "complete_within_seconds": None if model.complete_by is None else granted_seconds(model.complete_by),
        }
        return self._record("expected_sources", row, entry.place)


def _price_hash(row: RowValues, children: Children) -> str:
    """The sha256 of what a plan or a metric makes of usage: of the record without names, taxes and thresholds."""
    priced = {
        name: [{column: value for column, value in child.items() if column not in _NAMES} for child in rows]
        for name, rows in children.items()
        if name not in _NO_PRICES
    }
    return sha256([{column: value for column, value in row.items() if column not in _NAMES}, priced])


def _values(model: BaseModel, names: str) -> dict[str, Any]:
    """Columns that are named as the model's fields."""
    return {name: getattr(model, name) for name in names.split()}


def _address(model: Address) -> dict[str, Any]:
    return _values(
        model,
        "legal_name address_line1 address_line2 zipcode city state country email tax_identification_number",
    )


def _custom_steps(key: RowValues, custom: CustomAggregator | None) -> list[RowValues]:
    """The steps of a custom metric's programs."""
    if custom is None:
        return []
    return [
        {
            **key,
            "program": program.kind,
            "slot": program.slot,
            "step": number,
            "operation": step.operation,
            **dict(zip_longest(("left_step", "right_step", "third_step"), step.operands)),
            "number_value": step.number,
            "text_value": step.text,
        }
        for program in parse_aggregator(custom.units, custom.amount)
        for number, step in enumerate(program.steps, start=program.first_step)
    ]


def _taxes(key: RowValues, codes: Sequence[str]) -> list[RowValues]:
    return [{**key, "position": number, "tax_code": code} for number, code in enumerate(codes, start=1)]


def _targets(key: RowValues, kind: str, codes: Sequence[str]) -> list[RowValues]:
    return [{**key, "target_type": kind, "target_code": code} for code in codes]


def _match(match: InvoiceMatch) -> dict[str, Any]:
    return {
        "match_external_subscription_id": match.subscription,
        "match_external_customer_id": match.customer,
        "match_issuing_date": match.issuing_date,
        "match_invoice_type": match.invoice_type,
        "match_nth": match.nth,
    }


def _fee_match(match: FeeMatch | None) -> dict[str, Any]:
    return {
        "fee_external_subscription_id": match and match.subscription,
        "fee_charge_code": match and match.charge,
        "fee_transaction_id": match and match.transaction_id,
        "fee_date": match and match.date,
        **({"match_nth": match.nth} if match else {}),
    }


def _json(models: Sequence[BaseModel]) -> str | None:
    """The rows of a list as JSON text with the keys that were given; None for an empty list."""
    if not models:
        return None
    return canonical_json([model.model_dump(by_alias=True, exclude_unset=True) for model in models])


def _vat_check(given: str | None, number: str | None) -> str | None:
    """Without the register's answer the number's check digits decide (docs/book.md, customers)."""
    if given is not None or number is None:
        return given
    return "confirmed" if is_vat_number(number) else "refused"
