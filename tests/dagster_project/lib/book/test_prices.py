"""Prices that cannot be billed are refused with plan, charge, filter and range: docs/billing-rules.md, Usage and Prices."""

import copy
import re
from itertools import product

import pytest

from dagster_project.lib.book import BookError, read_case

AGGREGATIONS = (
    "count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg", "weighted_sum_agg", "custom_agg"
)  # fmt: skip
RANGE = {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}
PERCENTAGE_RANGE = {"from_value": 0, "to_value": None, "rate": "1", "flat_amount": "0"}
PROPERTIES = {
    "standard": {"amount": "1"},
    "graduated": {"graduated_ranges": [RANGE]},
    "graduated_percentage": {"graduated_percentage_ranges": [PERCENTAGE_RANGE]},
    "package": {"amount": "1", "package_size": 10, "free_units": 0},
    "percentage": {"rate": "1"},
    "volume": {"volume_ranges": [RANGE]},
    "dynamic": {},
    "custom": {},
}
CODE = "charge api_charge of plan p"


def problems_of(path):
    with pytest.raises(BookError) as caught:
        read_case(path)
    return caught.value.problems


def is_read(path):
    try:
        read_case(path)
    except BookError:
        return False
    return True


def priced(case, *, model="standard", aggregation="sum_agg", recurring=False, **charge):
    """The case with one charge of a model on one metric."""
    given = case["given"]
    metric = {"code": "api", "aggregation_type": aggregation, "field_name": "n", "recurring": recurring}
    metric["filters"] = [{"key": "region", "values": ["eu", "us", "asia"]}, {"key": "cloud", "values": ["aws", "gcp"]}]
    if aggregation == "custom_agg":
        metric["custom_aggregator"] = {"units": "sum(value)", "amount": "sum(value * 2)"}
    given["billable_metrics"] = [metric]
    given["plans"][0]["charges"] = [
        {"code": "api_charge", "billable_metric_code": "api", "charge_model": model,
         "properties": copy.deepcopy(PROPERTIES[model])} | charge
    ]  # fmt: skip
    return case


@pytest.mark.parametrize(("aggregation", "model"), product(AGGREGATIONS, PROPERTIES))
def test_which_model_prices_which_aggregation(case, write, aggregation, model):
    allowed = (
        (model != "dynamic" or aggregation == "sum_agg")
        and (model != "custom" or aggregation == "custom_agg")
        and (model not in {"percentage", "graduated_percentage"} or aggregation != "latest_agg")
    )
    path = write(priced(case, model=model, aggregation=aggregation))
    if allowed:
        read_case(path)
        return
    (problem,) = problems_of(path)
    assert problem.path == "given.plans[0].charges[0].charge_model"
    assert CODE in problem.expected
    assert f"metric api is {aggregation}" in problem.expected


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_which_metrics_may_recur(case, write, aggregation):
    """Sum, unique count, weighted sum, custom."""
    may = aggregation in {"sum_agg", "unique_count_agg", "weighted_sum_agg", "custom_agg"}
    assert is_read(write(priced(case, aggregation=aggregation, recurring=True))) == may


@pytest.mark.parametrize(
    ("aggregation", "model"), product(AGGREGATIONS, ("standard", "graduated", "volume", "package"))
)
def test_what_may_be_paid_in_advance(case, write, aggregation, model):
    """Count, sum, unique count; not with volume. Of custom metrics it says no units of one event."""
    may = aggregation in {"count_agg", "sum_agg", "unique_count_agg"} and model != "volume"
    path = write(priced(case, model=model, aggregation=aggregation, pay_in_advance=True))
    assert is_read(path) == may
    if not may:
        assert all(p.field == "pay_in_advance" and CODE in p.expected for p in problems_of(path))


@pytest.mark.parametrize(
    ("aggregation", "recurring", "model", "pay_in_advance"),
    [
        (aggregation, recurring, model, pay_in_advance)
        for aggregation, recurring in (
            ("sum_agg", True), ("sum_agg", False), ("unique_count_agg", True), ("weighted_sum_agg", True),
            ("custom_agg", True), ("count_agg", False),
        )
        for model, pay_in_advance in (
            ("standard", False), ("standard", True), ("graduated", False), ("graduated", True), ("volume", False),
            ("package", False), ("percentage", False), ("graduated_percentage", False),
        )
        if not (pay_in_advance and aggregation in {"weighted_sum_agg", "custom_agg"})
    ],
)  # fmt: skip
def test_what_may_be_prorated(case, write, aggregation, recurring, model, pay_in_advance):
    """Recurring sums and unique counts; standard, or graduated or volume in arrears."""
    may = (
        recurring
        and aggregation in {"sum_agg", "unique_count_agg"}
        and (model == "standard" or (model in {"graduated", "volume"} and not pay_in_advance))
    )
    path = write(
        priced(
            case,
            model=model,
            aggregation=aggregation,
            recurring=recurring,
            prorated=True,
            pay_in_advance=pay_in_advance,
        )
    )
    assert is_read(path) == may
    if not may:
        assert {p.field for p in problems_of(path)} == {"prorated"}
        assert all(CODE in p.expected for p in problems_of(path))


def bounds(*pairs):
    return [RANGE | {"from_value": low, "to_value": high} for low, high in pairs]


@pytest.mark.parametrize(
    ("pairs", "where", "expected"),
    [
        ([(1, None)], "0.from_value", "0: the first range"),
        ([(0, 10), (12, None)], "1.from_value", "10 or 11, with no gap or overlap"),
        ([(0, 10), (10.5, None)], "1.from_value", "no gap"),
        ([(0, 10), (9, None)], "1.from_value", "no gap or overlap"),
        ([(0, 10), (0, None)], "1.from_value", "no gap or overlap"),
        ([(0, 10), (11, 20)], "1.to_value", "null: the last range"),
        ([(0, None), (11, None)], "0.to_value", "an end"),
        ([(0, 0), (1, None)], "0.to_value", "more than from_value"),
        ([(0, 10), (11, 5), (6, None)], "1.to_value", "more than from_value"),
        ([(0, -1), (0, None)], "0.to_value", "0 or more"),
        ([(0, 10), (11, 11), (12, None)], "1.to_value", "more than from_value"),
    ],
)
@pytest.mark.parametrize("model", ["graduated", "volume", "graduated_percentage"])
@pytest.mark.parametrize("bucket", ["default", "filter"])
def test_ranges_have_no_gap_and_no_overlap(case, write, model, bucket, pairs, where, expected):
    """The message names plan, charge, filter and range."""
    key = f"{model}_ranges"
    one = PERCENTAGE_RANGE if model == "graduated_percentage" else RANGE
    ranges = [one | {"from_value": low, "to_value": high} for low, high in pairs]
    charge = {"filters": [{"values": {"region": ["eu"]}, "properties": {key: [one]}}]}
    charged = priced(case, model=model, **charge)["given"]["plans"][0]["charges"][0]
    if bucket == "default":
        charged["properties"][key] = ranges
        path = f"given.plans[0].charges[0].properties.{key}"
    else:
        charged["filters"][0]["properties"][key] = ranges
        path = f"given.plans[0].charges[0].filters[0].properties.{key}"
    index, field = where.split(".")
    found = [p for p in problems_of(write(case)) if p.path == f"{path}[{index}].{field}"]
    assert any(re.search(expected, p.expected) for p in found)
    for problem in found:
        assert CODE in problem.expected
        assert f"range {int(index) + 1}" in problem.expected
        assert ("filter 1" in problem.expected) == (bucket == "filter")


@pytest.mark.parametrize(
    "pairs",
    [
        [(0, None)],
        [(0, 10), (11, None)],
        [(0, 10), (10, 20), (20, None)],
        [("0", "0.5"), ("0.5", "2.25"), ("2.25", None)],
        [(0, 1), (2, 3), (3, None)],
    ],
)
def test_ranges_of_whole_units_and_ranges_that_touch_are_read(case, write, pairs):
    charged = priced(case, model="graduated")["given"]["plans"][0]["charges"][0]
    charged["properties"]["graduated_ranges"] = bounds(*pairs)
    read_case(write(case))


@pytest.mark.parametrize(
    ("model", "path", "value", "expected"),
    [
        ("standard", "amount", "-1", "0 or more"),
        ("standard", "amount", 1.5, "a float where a decimal string belongs"),
        ("standard", "amount", 1, "write it in quotes"),
        ("standard", "amount", "1e2", "decimal text"),
        ("graduated", "graduated_ranges.0.per_unit_amount", "-0.1", "0 or more"),
        ("graduated", "graduated_ranges.0.flat_amount", 2.5, "a float where a decimal string belongs"),
        ("volume", "volume_ranges.0.per_unit_amount", 1.5, "a float where a decimal string belongs"),
        ("volume", "volume_ranges.0.flat_amount", "-3", "0 or more"),
        ("graduated_percentage", "graduated_percentage_ranges.0.rate", "-3", "0 or more"),
        ("graduated_percentage", "graduated_percentage_ranges.0.rate", 3.5, "a float where a decimal string belongs"),
        ("package", "package_size", 0, "above 0"),
        ("package", "package_size", 1.5, "above 0|an integer"),
        ("package", "free_units", -1, "0 or more"),
        ("package", "amount", "-1", "0 or more"),
        ("percentage", "rate", "-1", "0 or more"),
        ("percentage", "fixed_amount", 1.5, "a float where a decimal string belongs"),
        ("percentage", "free_units_per_events", 0, "above 0"),
        ("percentage", "free_units_per_total_aggregation", "-1", "0 or more"),
        ("percentage", "per_transaction_min_amount", "-1", "0 or more"),
    ],
)
def test_a_price_that_is_none_is_told_with_plan_and_charge(case, write, model, path, value, expected):
    charge = priced(case, model=model)["given"]["plans"][0]["charges"][0]
    charge["filters"] = [{"values": {"region": ["eu"]}, "properties": copy.deepcopy(charge["properties"])}]
    *parents, last = path.split(".")
    for properties in (charge["properties"], charge["filters"][0]["properties"]):
        target = properties
        for key in parents:
            target = target[int(key)] if isinstance(target, list) else target[key]
        target[last] = value
    problems = problems_of(write(case))
    assert len(problems) == 2
    for problem, bucket in zip(problems, ("", ", filter 1"), strict=True):
        assert re.search(expected, problem.expected)
        label = CODE + bucket + (", range 1" if parents else "")
        assert problem.expected.endswith(f"({label})")


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("standard", "amount"),
        ("graduated", "graduated_ranges"),
        ("volume", "volume_ranges"),
        ("graduated_percentage", "graduated_percentage_ranges"),
        ("package", "amount"),
        ("package", "package_size"),
        ("package", "free_units"),
        ("percentage", "rate"),
    ],
)
def test_a_model_needs_its_keys(case, write, model, missing):
    charge = priced(case, model=model)["given"]["plans"][0]["charges"][0]
    del charge["properties"][missing]
    (problem,) = problems_of(write(case))
    assert problem.path == f"given.plans[0].charges[0].properties.{missing}"
    assert f"({CODE}, default bucket)" in problem.expected
    if missing.endswith("_ranges"):
        charge["properties"][missing] = []
        assert [p.field for p in problems_of(write(case))] == [missing]


def test_limits_of_an_event_are_in_order(case, write):
    charge = priced(case, model="percentage")["given"]["plans"][0]["charges"][0]
    charge["properties"] |= {"per_transaction_min_amount": "3", "per_transaction_max_amount": "2"}
    (problem,) = problems_of(write(case))
    assert problem.field == "per_transaction_min_amount"
    assert CODE in problem.expected


@pytest.mark.parametrize(
    ("values", "where", "expected"),
    [
        ({"zone": ["a"]}, "values.zone", "a filter key of metric api"),
        ({"region": ["EU"]}, "values.region[0]", "lists for region: one of __ALL_FILTER_VALUES__, asia, eu, us"),
        ({"region": ["__ALL_FILTER_VALUE__"]}, "values.region[0]", '"__ALL_FILTER_VALUES__" perhaps'),
        ({"region": []}, "values.region", "at least one value"),
        ({"region": ["eu", "eu"]}, "values.region[1]", "only once"),
        ({}, "values", "at least one key"),
    ],
)
def test_a_filter_names_keys_and_values_of_its_metric(case, write, values, where, expected):
    priced(case, filters=[{"values": values, "properties": {"amount": "2"}}])
    (problem,) = problems_of(write(case))
    assert problem.path == f"given.plans[0].charges[0].filters[0].{where}"
    assert expected in problem.expected


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        # in part the same values on every key
        ({"region": ["eu", "us"]}, {"region": ["us", "asia"]}, True),
        ({"region": ["eu"], "cloud": ["aws", "gcp"]}, {"region": ["eu", "us"], "cloud": ["aws"]}, True),
        ({"region": ["__ALL_FILTER_VALUES__"], "cloud": ["aws"]}, {"region": ["eu"], "cloud": ["aws", "gcp"]}, True),
        # the narrower, the older or the more specific one wins, or nothing is shared
        ({"region": ["eu", "us"]}, {"region": ["us"]}, False),
        ({"region": ["eu"]}, {"region": ["eu"]}, False),
        ({"region": ["eu"]}, {"region": ["us"]}, False),
        ({"region": ["eu"], "cloud": ["aws"]}, {"region": ["eu", "us"], "cloud": ["gcp"]}, False),
        ({"region": ["__ALL_FILTER_VALUES__"]}, {"region": ["eu"]}, False),
        ({"region": ["eu", "us", "asia"]}, {"region": ["__ALL_FILTER_VALUES__"]}, False),
        ({"region": ["eu"], "cloud": ["aws"]}, {"cloud": ["__ALL_FILTER_VALUES__"], "region": ["eu"]}, False),
        ({"region": ["eu"], "cloud": ["aws"]}, {"region": ["eu"], "cloud": ["gcp"]}, False),
        ({"region": ["eu", "us"]}, {"region": ["us", "asia"], "cloud": ["aws"]}, False),
        # different keys: either bills by its own, as the rules say
        ({"region": ["eu"]}, {"cloud": ["aws"]}, False),
    ],
)
def test_filters_that_would_bill_an_event_twice(case, write, one, other, refused):
    priced(case, filters=[{"values": values, "properties": {"amount": "2"}} for values in (one, other)])
    path = write(case)
    if not refused:
        read_case(path)
        return
    (problem,) = problems_of(path)
    assert problem.path == "given.plans[0].charges[0].filters[1].values"
    assert f"{CODE}, filters 1 and 2" in problem.expected
    # in advance one filter takes an event: docs/billing-rules.md, Prices
    case["given"]["plans"][0]["charges"][0]["pay_in_advance"] = True
    read_case(write(case))


def test_pricing_units(case, write):
    unit = {"code": "credits", "conversion_rate": "0.05"}
    charge = priced(case, applied_pricing_unit=unit)["given"]["plans"][0]["charges"][0]
    (problem,) = problems_of(write(case))
    assert problem.path == "given.plans[0].charges[0].applied_pricing_unit.code"
    assert f"a pricing unit of the book: there is none ({CODE})" in problem.expected

    case["given"]["pricing_units"] = [{"code": "credits", "name": "Credits", "exponent": 3}]
    read_case(write(case))
    for rate, expected in (("0", "above 0"), ("-1", "0 or more"), (0.5, "a float where a decimal string belongs")):
        charge["applied_pricing_unit"] = {"code": "credits", "conversion_rate": rate}
        (problem,) = problems_of(write(case))
        assert problem.path == "given.plans[0].charges[0].applied_pricing_unit.conversion_rate"
        assert expected in problem.expected
        assert CODE in problem.expected
    charge["applied_pricing_unit"] = unit
    case["given"]["pricing_units"][0]["exponent"] = 13
    (problem,) = problems_of(write(case))
    assert problem.path == "given.pricing_units[0].exponent"


def test_a_price_of_an_override_is_told_with_its_subscription(case, write):
    override = {"charges": [{"code": "api_charge", "properties": {"amount": "-1"}}]}
    priced(case)["given"]["subscriptions"][0]["plan_overrides"] = override
    (problem,) = problems_of(write(case))
    assert problem.expected.endswith("(charge api_charge of subscription sub)")

    override["charges"][0] |= {"charge_model": "graduated", "properties": {"graduated_ranges": bounds((0, 5))}}
    (problem,) = problems_of(write(case))
    assert "null: the last range has no end (charge api_charge of plan p@sub@" in problem.expected
