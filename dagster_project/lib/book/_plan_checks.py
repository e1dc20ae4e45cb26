"""Is a plan consistent: charge models, their properties, ranges, filters.

Rules: docs/billing-rules.md, Usage, Prices, Exactness and Life cycle.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from dagster_project.lib.book._catalog import (
    ALL_FILTER_VALUES,
    BillableMetric,
    Charge,
    ChargeFilter,
    FixedCharge,
    PercentageRange,
    Plan,
    PricedRange,
    Properties,
)
from dagster_project.lib.book._places import Place, Problems
from dagster_project.lib.book._problems import nearest
from dagster_project.lib.expressions import ExpressionError, check_aggregate, parse_formula

# charge model: (required properties, optional properties)
PROPERTIES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "standard": (frozenset({"amount"}), frozenset()),
    "graduated": (frozenset({"graduated_ranges"}), frozenset()),
    "graduated_percentage": (frozenset({"graduated_percentage_ranges"}), frozenset()),
    "package": (frozenset({"amount", "package_size", "free_units"}), frozenset()),
    "percentage": (
        frozenset({"rate"}),
        frozenset(
            {
                "fixed_amount",
                "free_units_per_events",
                "free_units_per_total_aggregation",
                "per_transaction_min_amount",
                "per_transaction_max_amount",
            }
        ),
    ),
    "volume": (frozenset({"volume_ranges"}), frozenset()),
    "dynamic": (frozenset(), frozenset()),
    "custom": (frozenset(), frozenset()),
}
RANGES = {
    "graduated": "graduated_ranges",
    "volume": "volume_ranges",
    "graduated_percentage": "graduated_percentage_ranges",
}
_RECURRING = frozenset({"sum_agg", "unique_count_agg", "weighted_sum_agg", "custom_agg"})
# of custom metrics the rules say nothing about what one event adds
_IN_ADVANCE = frozenset({"count_agg", "sum_agg", "unique_count_agg"})
_NOT_ON_LATEST = frozenset({"percentage", "graduated_percentage"})
_PRORATED = frozenset({"sum_agg", "unique_count_agg"})
_PRORATED_MODELS = frozenset({"standard", "volume", "graduated"})


def check_metric(metric: BillableMetric, place: Place, problems: Problems) -> None:
    """Report what of a billable metric does not fit its aggregation."""
    aggregation = metric.aggregation_type
    if metric.recurring and aggregation not in _RECURRING:
        problems.add(
            place,
            f"false: a {aggregation} metric cannot recur (only {_words(_RECURRING)})",
            "recurring",
        )
    if metric.field_name is None and aggregation not in {"count_agg", "custom_agg"}:
        problems.add(place, f"the name of a property: {aggregation} reads one", "field_name")
    if metric.expression is not None and metric.field_name is None:
        problems.add(place, "the name of the property that the expression's result is kept in", "field_name")
    if metric.expression is not None:
        try:
            parse_formula(metric.expression)
        except ExpressionError as error:
            problems.add(place, f"an expression that can be read (metric {metric.code}): {error}", "expression")
    if aggregation == "custom_agg" and metric.custom_aggregator is None:
        problems.add(place, "the units' SQL expression of a custom_agg metric", "custom_aggregator")
    if aggregation != "custom_agg" and metric.custom_aggregator is not None:
        problems.add(place, f"nothing: {aggregation} has no aggregator of its own", "custom_aggregator")
    if metric.custom_aggregator is not None:
        for key in ("units", "amount"):
            try:
                check_aggregate(getattr(metric.custom_aggregator, key) or "sum(value)")
            except ExpressionError as error:
                wanted = f"an SQL aggregate expression that can be read (metric {metric.code}): {error}"
                problems.add(place, wanted, "custom_aggregator", key)
    names = [item.key for item in metric.filters]
    problems.add_repeated(place, names, "filters", field="key")
    for index, item in enumerate(metric.filters):
        problems.add_repeated(place, item.values, "filters", index, "values")
        if not item.values:
            problems.add(place, "the values that the key can have", "filters", index, "values")


def check_computed_fields(metrics: Sequence[tuple[BillableMetric, Place]], problems: Problems) -> None:
    """Report metrics that read a property which the expression of another metric of the same events replaces."""
    readers: dict[tuple[str, str], list[tuple[BillableMetric, Place]]] = {}
    for metric, place in metrics:
        if metric.field_name is not None and metric.aggregation_type != "count_agg":
            readers.setdefault((metric.event_code or metric.code, metric.field_name), []).append((metric, place))
    for (code, name), found in readers.items():
        for metric, place in found:
            others = [
                other
                for other, _ in found
                if other.code != metric.code and other.expression is not None and other.expression != metric.expression
            ]
            if others:
                wanted = (
                    f"a property of its own: metric {others[0].code} computes {name} of the events {code}, "
                    f"which metric {metric.code} reads as well"
                )
                problems.add(place, wanted, "field_name")


def check_plan(plan: Plan, place: Place, metrics: Mapping[str, Sequence[BillableMetric]], problems: Problems) -> None:
    """Report what is wrong inside of a plan; references to other tables are checked elsewhere."""
    codes = [charge.code for charge in plan.charges]
    problems.add_repeated(place, codes, "charges", field="code")
    codes = [charge.code for charge in plan.fixed_charges]
    problems.add_repeated(place, codes, "fixed_charges", field="code")
    for index, charge in enumerate(plan.charges):
        _check_charge(
            plan,
            charge,
            place.at("charges", index),
            metrics.get(charge.billable_metric_code, ()),
            problems,
        )
    for index, fixed_charge in enumerate(plan.fixed_charges):
        _check_fixed_charge(plan, fixed_charge, place.at("fixed_charges", index), problems)
    recurring = [index for index, threshold in enumerate(plan.usage_thresholds) if threshold.recurring]
    for index in recurring[1:]:
        problems.add(
            place,
            "false: a plan has at most one recurring threshold",
            "usage_thresholds",
            index,
            "recurring",
        )
    for index, threshold in enumerate(plan.usage_thresholds):
        if threshold.amount_cents == 0:
            problems.add(place, "an amount above 0", "usage_thresholds", index, "amount_cents")


def _check_charge(
    plan: Plan, charge: Charge, place: Place, metrics: Sequence[BillableMetric], problems: Problems
) -> None:
    name = f"charge {charge.code} of plan {plan.code}"
    model = charge.charge_model
    for metric in metrics:
        _check_aggregation(charge, metric, name, place, problems)
    if charge.pay_in_advance:
        if model == "volume":
            problems.add(place, f"false: a volume price cannot be paid in advance ({name})", "pay_in_advance")
        if charge.min_amount_cents:
            problems.add(place, f"0: a charge paid in advance has no minimum ({name})", "min_amount_cents")
    elif charge.regroup_paid_fees is not None:
        problems.add(place, f"nothing: only fees paid in advance are regrouped ({name})", "regroup_paid_fees")
    if charge.regroup_paid_fees and charge.pay_in_advance and charge.invoiceable:
        problems.add(place, f"false, since its fees are regrouped ({name})", "invoiceable")
    unit = charge.applied_pricing_unit
    if unit is not None and unit.conversion_rate == 0:
        wanted = f"a decimal above 0: what one {unit.code} is worth in {plan.amount_currency} ({name})"
        problems.add(place, wanted, "applied_pricing_unit", "conversion_rate")
    _check_properties(model, charge.properties, f"{name}, default bucket", place.at("properties"), problems)
    for index, item in enumerate(charge.filters):
        where = place.at("filters", index)
        bucket = f"{name}, filter {index + 1}"
        _check_properties(model, item.properties, bucket, where.at("properties"), problems)
        _check_filter(item, metrics, bucket, where, problems)
    _check_overlaps(charge, metrics, name, place, problems)


def _check_aggregation(charge: Charge, metric: BillableMetric, name: str, place: Place, problems: Problems) -> None:
    """Which models, terms and proration an aggregation allows: docs/billing-rules.md, Usage and Prices."""
    model, aggregation = charge.charge_model, metric.aggregation_type
    of = f"metric {metric.code} is {aggregation} ({name})"
    if model == "dynamic" and aggregation != "sum_agg":
        problems.add(place, f"another model: dynamic prices a sum_agg metric only, {of}", "charge_model")
    if model == "custom" and aggregation != "custom_agg":
        problems.add(place, f"another model: custom prices a custom_agg metric only, {of}", "charge_model")
    if model in _NOT_ON_LATEST and aggregation == "latest_agg":
        problems.add(place, f"another model: {model} does not price latest_agg, {of}", "charge_model")
    if charge.pay_in_advance and aggregation not in _IN_ADVANCE:
        problems.add(place, f"false: only {_words(_IN_ADVANCE)} are paid in advance, {of}", "pay_in_advance")
    if not charge.prorated:
        return
    if not metric.recurring or aggregation not in _PRORATED:
        problems.add(place, f"false: only recurring sums and unique counts are prorated, {of}", "prorated")
    if model not in _PRORATED_MODELS or (charge.pay_in_advance and model != "standard"):
        problems.add(
            place,
            f"false: prorated charges are standard, or graduated or volume in arrears ({name})",
            "prorated",
        )


def _check_fixed_charge(plan: Plan, charge: FixedCharge, place: Place, problems: Problems) -> None:
    """What a fixed charge may combine: docs/billing-rules.md, Life cycle."""
    name = f"fixed charge {charge.code} of plan {plan.code}"
    if charge.pay_in_advance and charge.charge_model == "volume":
        problems.add(place, f"false: a volume price cannot be paid in advance ({name})", "pay_in_advance")
    if charge.pay_in_advance and charge.prorated and charge.charge_model == "graduated":
        problems.add(place, f"false: a graduated price paid in advance is not prorated ({name})", "prorated")
    if charge.properties.pricing_group_keys:
        problems.add(
            place,
            f"nothing: a fixed charge has no groups ({name})",
            "properties",
            "pricing_group_keys",
        )
    _check_properties(charge.charge_model, charge.properties, name, place.at("properties"), problems)


def _check_properties(model: str, properties: Properties, name: str, place: Place, problems: Problems) -> None:
    required, optional = PROPERTIES[model]
    present = {key for key in Properties.model_fields if getattr(properties, key) not in (None, ())}
    for key in sorted(required - present):
        problems.add(place, f"a value: a {model} price needs it ({name})", key)
    for key in sorted(present - required - optional - {"pricing_group_keys"}):
        allowed = _words({*required, *optional, "pricing_group_keys"})
        problems.add(place, f"no such key: a {model} price has {allowed} ({name})", key)
    problems.add_repeated(place, properties.pricing_group_keys, "pricing_group_keys")
    low, high = properties.per_transaction_min_amount, properties.per_transaction_max_amount
    if low is not None and high is not None and low > high:
        problems.add(place, f"at most per_transaction_max_amount ({name})", "per_transaction_min_amount")
    if model in RANGES and RANGES[model] in present:
        _check_ranges(getattr(properties, RANGES[model]), name, place.at(RANGES[model]), problems)


def _check_ranges(ranges: Sequence[PricedRange | PercentageRange], name: str, place: Place, problems: Problems) -> None:
    """Ranges follow each other without gap or overlap, from zero, the last one open."""
    previous: Decimal | None = None
    for index, item in enumerate(ranges):
        label = f"({name}, range {index + 1})"
        if index == 0 and item.from_value != 0:
            problems.add(place, f"0: the first range begins there {label}", index, "from_value")
        if index > 0 and previous is not None and item.from_value not in {previous, previous + 1}:
            wanted = f"{previous:f} or {previous + 1:f}"
            problems.add(
                place,
                f"{wanted}, with no gap or overlap after the range before {label}",
                index,
                "from_value",
            )
        last = index == len(ranges) - 1
        if last and item.to_value is not None:
            problems.add(place, f"null: the last range has no end {label}", index, "to_value")
        if not last and item.to_value is None:
            problems.add(place, f"an end: only the last range has none {label}", index, "to_value")
        if item.to_value is not None and item.to_value <= item.from_value:
            problems.add(place, f"more than from_value {label}", index, "to_value")
        previous = item.to_value


def _check_filter(
    item: ChargeFilter,
    metrics: Sequence[BillableMetric],
    name: str,
    place: Place,
    problems: Problems,
) -> None:
    """Keys and values of a filter are among those of its metric, in any version of it."""
    if not item.values:
        problems.add(place, f"at least one key with its values ({name})", "values")
    if not metrics:
        return
    known = _filter_values(metrics)
    for key, values in item.values.items():
        if key not in known:
            wanted = f"a filter key of metric {metrics[0].code}: {nearest(key, known)} ({name})"
            problems.add(place, wanted, "values", key)
            continue
        if not values:
            problems.add(place, f"at least one value ({name})", "values", key)
        problems.add_repeated(place, values, "values", key)
        for index, value in enumerate(values):
            if value not in known[key] and value != ALL_FILTER_VALUES:
                listed = f"a value that metric {metrics[0].code} lists for {key}"
                wanted = f"{listed}: {nearest(value, {*known[key], ALL_FILTER_VALUES})} ({name})"
                problems.add(place, wanted, "values", key, index)


def _check_overlaps(
    charge: Charge, metrics: Sequence[BillableMetric], name: str, place: Place, problems: Problems
) -> None:
    """Filters with the same keys that overlap in part bill an event twice, but in advance: docs/billing-rules.md, Usage."""
    if charge.pay_in_advance:
        return
    listed = _filter_values(metrics)
    expanded = [
        {
            key: frozenset(listed.get(key, ())) if ALL_FILTER_VALUES in values else frozenset(values)
            for key, values in item.values.items()
        }
        for item in charge.filters
    ]
    for (i, one), (j, other) in combinations(enumerate(expanded), 2):
        if one.keys() != other.keys() or not one:
            continue
        common = all(one[key] & other[key] for key in one)
        nested = all(one[key] <= other[key] for key in one) or all(one[key] >= other[key] for key in one)
        if common and not nested:
            wanted = (
                f"values apart from those of filter {i + 1}, or inside or around them: "
                f"an event could be billed by both filters ({name}, filters {i + 1} and {j + 1})"
            )
            problems.add(place, wanted, "filters", j, "values")


def _filter_values(metrics: Sequence[BillableMetric]) -> dict[str, set[str]]:
    """The values of each filter key, in any version of a metric."""
    known: dict[str, set[str]] = {}
    for metric in metrics:
        for declared in metric.filters:
            known.setdefault(declared.key, set()).update(declared.values)
    return known


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
