"""The child rows of a plan: charges, buckets, ranges, groups, fixed charges, thresholds, taxes."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project.lib.book._book import RowValues
from dagster_project.lib.book._catalog import Charge, FixedCharge, Plan, Properties, UsageThreshold
from dagster_project.lib.book._plan_checks import RANGES

_PRICES = (
    "amount",
    "rate",
    "fixed_amount",
    "package_size",
    "free_units",
    "free_units_per_events",
    "free_units_per_total_aggregation",
    "per_transaction_min_amount",
    "per_transaction_max_amount",
)
Rows = defaultdict[str, list[RowValues]]


def plan_children(plan: Plan) -> Mapping[str, Sequence[RowValues]]:
    """The children of a plan's record, by raw table."""
    key = {"plan_code": plan.code, "effective_at": plan.effective_at}
    rows: Rows = defaultdict(list)
    _add_taxes(rows, key, "plan", None, plan.tax_codes)
    if plan.minimum_commitment:
        _add_taxes(rows, key, "minimum_commitment", None, plan.minimum_commitment.tax_codes)
    for position, charge in enumerate(plan.charges, start=1):
        _add_charge(rows, key, position, charge)
    for position, fixed_charge in enumerate(plan.fixed_charges, start=1):
        _add_fixed_charge(rows, key, position, fixed_charge)
    rows["plan_usage_thresholds"] = threshold_rows(key, plan.usage_thresholds)
    return rows


def threshold_rows(key: RowValues, thresholds: Sequence[UsageThreshold]) -> list[RowValues]:
    """Progressive billing thresholds of a plan or a subscription, numbered from 1."""
    return [
        {
            **key,
            "threshold_position": position,
            "amount_cents": threshold.amount_cents,
            "is_recurring": threshold.recurring,
        }
        for position, threshold in enumerate(thresholds, start=1)
    ]


def _add_taxes(rows: Rows, key: RowValues, owner: str, code: str | None, taxes: Sequence[str]) -> None:
    rows["plan_taxes"] += [
        {**key, "owner_type": owner, "owner_code": code, "position": position, "tax_code": tax}
        for position, tax in enumerate(taxes, start=1)
    ]


def _add_charge(rows: Rows, plan_key: RowValues, position: int, charge: Charge) -> None:
    key = {**plan_key, "charge_code": charge.code}
    unit = charge.applied_pricing_unit
    rows["charges"].append(
        {
            **key,
            "position": position,
            "invoice_display_name": charge.invoice_display_name,
            "billable_metric_code": charge.billable_metric_code,
            "charge_model": charge.charge_model,
            "is_pay_in_advance": charge.pay_in_advance,
            "is_invoiceable": charge.invoiceable,
            "is_prorated": charge.prorated,
            "min_amount_cents": charge.min_amount_cents,
            "regroup_paid_fees": charge.regroup_paid_fees,
            "applied_pricing_unit_code": unit.code if unit else None,
            "pricing_unit_conversion_rate": unit.conversion_rate if unit else None,
        }
    )
    _add_taxes(rows, plan_key, "charge", charge.code, charge.tax_codes)
    _add_bucket(rows, {**key, "filter_position": 0}, None, None, charge.properties, charge.charge_model)
    for number, item in enumerate(charge.filters, start=1):
        bucket = {**key, "filter_position": number}
        _add_bucket(rows, bucket, item.invoice_display_name, item.values, item.properties, charge.charge_model)
        rows["charge_filter_values"] += [
            {
                **bucket,
                "key_position": i,
                "filter_key": name,
                "value_position": j,
                "filter_value": value,
            }
            for i, (name, values) in enumerate(item.values.items(), start=1)
            for j, value in enumerate(values, start=1)
        ]


def _add_bucket(
    rows: Rows,
    key: RowValues,
    name: str | None,
    values: Mapping[str, Sequence[str]] | None,
    properties: Properties,
    model: str,
) -> None:
    prices = {price: getattr(properties, price) for price in _PRICES}
    text = None if values is None else json.dumps(values, ensure_ascii=False)
    rows["charge_filters"].append({**key, "invoice_display_name": name, "filter_values": text, **prices})
    rows["charge_group_keys"] += [
        {**key, "key_position": position, "group_key": group_key}
        for position, group_key in enumerate(properties.pricing_group_keys, start=1)
    ]
    rows["charge_ranges"] += _ranges(key, properties, model, ("per_unit_amount", "rate", "flat_amount"))


def _add_fixed_charge(rows: Rows, plan_key: RowValues, position: int, charge: FixedCharge) -> None:
    key = {**plan_key, "fixed_charge_code": charge.code}
    rows["fixed_charges"].append(
        {
            **key,
            "position": position,
            "invoice_display_name": charge.invoice_display_name,
            "add_on_code": charge.add_on_code,
            "charge_model": charge.charge_model,
            "units": charge.units,
            "is_pay_in_advance": charge.pay_in_advance,
            "is_prorated": charge.prorated,
            "amount": charge.properties.amount,
        }
    )
    _add_taxes(rows, plan_key, "fixed_charge", charge.code, charge.tax_codes)
    rows["fixed_charge_ranges"] += _ranges(
        key, charge.properties, charge.charge_model, ("per_unit_amount", "flat_amount")
    )


def _ranges(key: RowValues, properties: Properties, model: str, prices: Sequence[str]) -> list[RowValues]:
    ranges: Sequence[Any] = getattr(properties, RANGES[model]) if model in RANGES else ()
    return [
        {
            **key,
            "range_position": position,
            "from_value": item.from_value,
            "to_value": item.to_value,
            **{price: getattr(item, price, None) for price in prices},
        }
        for position, item in enumerate(ranges or (), start=1)
    ]
