"""Each kind of mistake is told with file, path, field, value and what was expected."""

import json
import re

import pytest

from dagster_project.lib.book import BookError, read_case

ABSENT = object()
TOP_UPS = "wallets.0.recurring_transaction_rules"
RANGES = "plans.0.charges.0.properties.graduated_ranges"
METRIC = "billable_metrics.0"
CHARGE = "plans.0.charges.0"
FEES = "plans.0.charges.1"


def problems_of(path):
    with pytest.raises(BookError) as caught:
        read_case(path)
    return caught.value.problems


def changed(case, path, value):
    *parents, last = path.split(".")
    target = case["given"]
    for key in parents:
        target = target[int(key)] if isinstance(target, list) else target[key]
    if value is ABSENT:
        del target[last]
    elif isinstance(target, list):
        target.insert(int(last), value)
    else:
        target[last] = value
    return case


@pytest.mark.parametrize(
    ("path", "value", "where", "shown", "expected"),
    [
        # keys and types
        ("plans.0.amount_cent", 5, "plans[0].amount_cent", "5", '"amount_cents" perhaps'),
        ("plan", [], "plan", "an empty list", '"plans" perhaps'),
        (
            f"{CHARGE}.propertys",
            {},
            "plans[0].charges[0].propertys",
            "an empty mapping",
            '"properties"',
        ),
        (
            f"{RANGES}.0.flat_fee",
            "1",
            "graduated_ranges[0].flat_fee",
            '"1"',
            '"flat_amount" perhaps',
        ),
        ("plans.0.interval", "daily", "plans[0].interval", '"daily"', "one of weekly, monthly"),
        (
            "wallets.0.applies_to.fee_types.0",
            "true_up",
            "wallets[0].applies_to.fee_types[0]",
            '"true_up"',
            "charge: a true-up",
        ),
        ("plans.0.interval", ABSENT, "plans[0].interval", "nothing", "the key is required"),
        ("plans.0.amount_cents", "3500", "plans[0].amount_cents", '"3500"', "an integer"),
        ("plans.0.amount_cents", 35.5, "plans[0].amount_cents", "35.5", "an integer"),
        ("plans.0.amount_cents", True, "plans[0].amount_cents", "true", "an integer"),
        ("plans.0.amount_cents", -1, "plans[0].amount_cents", "-1", "0 or more"),
        ("plans.0.amount_cents", 10**15, "plans[0].amount_cents", "10000", "at most 15 digits"),
        ("plans.0.pay_in_advance", "yes", "pay_in_advance", '"yes"', "true or false"),
        ("plans.0.charges", {}, "plans[0].charges", "an empty mapping", "a list"),
        ("plans.0.minimum_commitment", [], "minimum_commitment", "an empty list", "a mapping"),
        ("plans", {}, "plans", "an empty mapping", "a list of rows"),
        ("customers.0.external_id", 7, "customers[0].external_id", "7", "text in quotes"),
        ("customers.0.name", "  ", "customers[0].name", '"  "', "not blank"),
        ("customers.0.name", "a\0b", "customers[0].name", '"a', "NUL"),
        # decimals and sizes
        ("taxes.0.rate", 20.5, "taxes[0].rate", "20.5", "a float where a decimal string belongs"),
        ("taxes.0.rate", 20, "taxes[0].rate", "20", "write it in quotes"),
        ("taxes.0.rate", "1e3", "taxes[0].rate", '"1e3"', "decimal text"),
        ("taxes.0.rate", "-1", "taxes[0].rate", '"-1"', "0 or more"),
        ("taxes.0.rate", "1234567890", "taxes[0].rate", '"1234567890"', "3 digits before and 12"),
        ("taxes.0.rate", "0.0000000000001", "taxes[0].rate", '"0.0', "3 digits before and 12"),
        ("plans.0.fixed_charges.0.units", "1" * 16, "units", '"1111', "15 digits before and 12"),
        (f"{RANGES}.0.to_value", "ten", "graduated_ranges[0].to_value", '"ten"', "decimal text"),
        # places and times
        ("organization.timezone", "Europe/Pariss", "timezone", "Pariss", '"Europe/Paris" perhaps'),
        ("organization.default_currency", "EUX", "default_currency", '"EUX"', "ISO 4217"),
        ("customers.0.country", "UK", "customers[0].country", '"UK"', "ISO 3166"),
        ("subscriptions.0.created_at", "2024-03-01T00:00:00", "created_at", '"2024', "offset"),
        ("subscriptions.0.created_at", "2024-02-30T00:00:00Z", "created_at", '"2024', "RFC 3339"),
        ("subscriptions.0.subscription_at", "0001-01-01T00:00:00Z", "subscription_at", '"0001', "from 1900 on"),
        ("credit_notes.0.invoice.issuing_date", "1 April", "issuing_date", '"1 April"', "a date"),
        # references
        ("subscriptions.0.plan_code", "pp", "subscriptions[0].plan_code", '"pp"', '"p" perhaps'),
        ("subscriptions.0.external_customer_id", "x", "external_customer_id", '"x"', "a customer"),
        (f"{CHARGE}.billable_metric_code", "apis", "billable_metric_code", '"apis"', '"api"'),
        ("plans.0.tax_codes", ["vat"], "plans[0].tax_codes[0]", '"vat"', '"vat20" perhaps'),
        ("plans.0.tax_codes.0", "vat20", "plans[0].tax_codes[1]", '"vat20"', "only once"),
        ("plans.0.minimum_commitment.tax_codes", ["t"], "tax_codes[0]", '"t"', "a tax"),
        (f"{CHARGE}.tax_codes", ["t"], "charges[0].tax_codes[0]", '"t"', "a tax"),
        ("plans.0.fixed_charges.0.add_on_code", "chair", "add_on_code", '"chair"', "an? add-on"),
        ("customers.0.tax_codes", ["t"], "customers[0].tax_codes[0]", '"t"', "a tax"),
        ("customers.0.parent_external_id", "cust", "parent_external_id", '"cust"', "below"),
        ("customers.0.billing_entity_code", "b", "billing_entity_code", '"b"', "there is none"),
        ("coupons.0.applies_to.plan_codes", ["q"], "plan_codes[0]", '"q"', "a plan"),
        ("applied_coupons.0.coupon_code", "d", "coupon_code", '"d"', "a coupon"),
        ("wallet_transactions.0.wallet_code", "v", "wallet_code", '"v"', "a wallet"),
        ("invoices_one_off.0.fees.0.add_on_code", "x", "fees[0].add_on_code", '"x"', "add-on"),
        (
            "credit_notes.0.items.0.fee",
            "api_chrage",
            "items[0].fee",
            '"api_chrage"',
            '"api_charge"',
        ),
        (
            "credit_notes.0.invoice.subscription",
            "u",
            "invoice.subscription",
            '"u"',
            "a subscription",
        ),
        ("payments.0.invoice.customer", "cust", "invoice.subscription", '"sub"', "either"),
        ("payments.0.invoice.issuing_date", ABSENT, "issuing_date", "nothing", "the date"),
        (
            f"{CHARGE}.applied_pricing_unit",
            {"code": "u", "conversion_rate": "1"},
            "code",
            '"u"',
            "unit",
        ),
        # metrics
        (f"{METRIC}.field_name", ABSENT, "field_name", "nothing", "sum_agg reads one"),
        (
            "billable_metrics.1.recurring",
            True,
            "recurring",
            "true",
            "latest_agg metric cannot recur",
        ),
        (f"{METRIC}.aggregation_type", "custom_agg", "custom_aggregator", "nothing", "expression"),
        (
            f"{METRIC}.custom_aggregator",
            {"units": "sum(value)"},
            "custom_aggregator",
            "",
            "nothing",
        ),
        (
            f"{METRIC}.expression",
            "event.properties.a + ",
            "billable_metrics[0].expression",
            '"event.properties.a + "',
            r"metric api.*at character 22",
        ),
        (
            f"{METRIC}.custom_aggregator",
            {"units": "sum(value)", "amount": "sum(price)"},
            "billable_metrics[0].custom_aggregator.amount",
            '"sum(price)"',
            "metric api.*price is not known.*at character 5",
        ),
        (f"{METRIC}.filters.1.key", "region", "filters[1].key", '"region"', "only once"),
        # charge models
        (f"{FEES}.properties", {}, "charges[1].properties.rate", "nothing", "a percentage price"),
        (f"{FEES}.properties.amount", "1", "properties.amount", '"1"', "no such key"),
        (f"{FEES}.properties.package_size", 0, "properties.package_size", "0", "above 0"),
        (f"{FEES}.properties.free_units_per_events", 0, "free_units_per_events", "0", "above 0"),
        (f"{FEES}.billable_metric_code", "last", "charge_model", "percentage", "latest_agg"),
        (f"{FEES}.charge_model", "custom", "charge_model", '"custom"', "custom_agg metric only"),
        (f"{FEES}.prorated", True, "prorated", "true", "only recurring sums"),
        (f"{FEES}.regroup_paid_fees", "invoice", "regroup_paid_fees", '"invoice"', "in advance"),
        ("plans.0.charges.1.code", "api_charge", "charges[1].code", '"api_charge"', "only once"),
        ("plans.0.usage_thresholds.0.amount_cents", 0, "amount_cents", "0", "above 0"),
        # ranges
        (f"{RANGES}.0.from_value", 1, "graduated_ranges[0].from_value", "1", "range 1"),
        (f"{RANGES}.1.from_value", 12, "graduated_ranges[1].from_value", "12", "10 or 11"),
        (f"{RANGES}.1.from_value", 9, "graduated_ranges[1].from_value", "9", "no gap or overlap"),
        (f"{RANGES}.1.to_value", 20, "graduated_ranges[1].to_value", "20", "null: the last range"),
        (f"{RANGES}.0.to_value", None, "graduated_ranges[0].to_value", "nothing", "an end"),
        (f"{RANGES}.0.to_value", 0, "graduated_ranges[0].to_value", "0", "more than from_value"),
        (
            f"{CHARGE}.filters.0.properties.graduated_ranges.0.from_value",
            "0.5",
            "filters[0].properties.graduated_ranges[0].from_value",
            '"0.5"',
            "charge api_charge of plan p, filter 1, range 1",
        ),
        # filters
        (f"{CHARGE}.filters.0.values.zone", ["a"], "values.zone", "a list of 1", "filter key"),
        (f"{CHARGE}.filters.0.values.region.0", "uk", "region[0]", '"uk"', "lists for region"),
        (f"{CHARGE}.filters.0.values", {}, "filters[0].values", "an empty mapping", "at least one"),
        # accounts
        ("subscriptions.0.ending_at", "2024-02-01T00:00:00Z", "ending_at", '"2024', "after"),
        (
            "subscriptions.0.terminated_at",
            "2024-02-01T00:00:00Z",
            "terminated_at",
            "",
            "not before",
        ),
        ("customers.0.currency", "USD", "subscriptions[0].plan_code", '"p"', "not in EUR"),
        ("wallets.0.rate_amount", "0", "wallets[0].rate_amount", '"0"', "above 0"),
        (
            TOP_UPS,
            [{"trigger": "interval", "granted_credits": "5"}],
            "recurring_transaction_rules[0].interval",
            "nothing",
            "a value for trigger interval",
        ),
        (
            TOP_UPS,
            [{"trigger": "threshold", "threshold_credits": "5", "method": "target", "paid_credits": "5"}],
            "recurring_transaction_rules[0].paid_credits",
            "5",
            "what is missing is bought",
        ),
        (
            TOP_UPS,
            [{"trigger": "threshold", "threshold_credits": "5"}],
            "recurring_transaction_rules[0].paid_credits",
            "nothing",
            "above 0 for method fixed",
        ),
        ("coupons.0.percentage_rate", ABSENT, "percentage_rate", "nothing", "percentage coupon"),
        ("coupons.0.frequency", "recurring", "frequency_duration", "nothing", "number of periods"),
        ("coupons.0.expiration", "time_limit", "expiration_at", "nothing", "the end"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(case, write, path, value, where, shown, expected):
    problems = problems_of(write(changed(case, path, value)))

    found = [p for p in problems if p.path.endswith(where) and re.search(expected, p.expected)]
    assert found, "\n".join(map(str, problems))
    problem = found[0]
    assert problem.file == "two_regions.json"
    assert problem.path.startswith("given.")
    assert problem.field in problem.path
    assert problem.line is not None
    assert shown in problem.value
    assert str(problem) == (
        f"two_regions.json:{problem.line} {problem.path}: got {problem.value}; expected {problem.expected}"
    )


def test_every_mistake_is_told_at_once(case, write):
    case["as_of"] = "soon"
    case["expect"]["invoice_cuont"] = 1
    changed(case, "taxes.0.rate", 20.5)
    changed(case, "plans.0.interval", "daily")
    changed(case, "customers.0.timezone", "Mars/Olympus")
    changed(case, "applied_coupons.0.coupon_code", "zzz")

    problems = problems_of(write(case))

    assert sorted(problem.path for problem in problems) == [
        "as_of",
        "expect.invoice_cuont",
        "given.applied_coupons[0].coupon_code",
        "given.customers[0].timezone",
        "given.plans[0].interval",
        "given.taxes[0].rate",
    ], "a refused plan, customer or tax is not told again by the rows that name it"


def test_the_printed_list_is_cut_after_fifty(case, write):
    case["given"]["customers"] = [{"external_id": f"c{i}", "colour": 1} for i in range(60)]
    with pytest.raises(BookError) as caught:
        read_case(write(case))
    text = str(caught.value)
    assert len(caught.value.problems) > 60
    assert len(text.splitlines()) == 52
    assert text.splitlines()[-1].strip() == f"… and {len(caught.value.problems) - 50} more."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("taxes", "code"),
        ("plans", "code"),
        ("billable_metrics", "code"),
        ("customers", "external_id"),
        ("subscriptions", "created_at"),
        ("wallets", "code"),
        ("credit_notes", "code"),
    ],
)
def test_a_key_is_given_once(case, write, table, field):
    rows = case["given"][table]
    rows.append(dict(rows[0]))
    found = [p for p in problems_of(write(case)) if "key of its own" in p.expected]
    assert [p.path for p in found] == [f"given.{table}[{len(rows) - 1}].{field}"]


def test_a_property_that_one_metric_computes_is_not_read_by_another(case, write):
    metrics = case["given"]["billable_metrics"]
    metrics[0]["expression"] = "event.properties.n * 2"
    metrics.append({"code": "same", "event_code": "api", "aggregation_type": "max_agg", "field_name": "n"})
    metrics.append({"code": "count", "event_code": "api", "aggregation_type": "count_agg", "field_name": "n"})
    metrics.append({"code": "apart", "event_code": "api", "aggregation_type": "max_agg", "field_name": "m"})
    (problem,) = problems_of(write(case))
    assert problem.path == "given.billable_metrics[2].field_name"
    assert "metric api computes n of the events api" in problem.expected

    metrics[2]["expression"] = "event.properties.n * 2"
    read_case(write(case))


def test_a_version_with_a_later_date_is_no_duplicate(case, write):
    plan = case["given"]["plans"][0]
    case["given"]["plans"].append(plan | {"effective_at": "2024-06-01T00:00:00Z"})
    read_case(write(case))


def test_an_external_id_belongs_to_one_customer(case, write):
    case["given"]["customers"].append({"external_id": "other"})
    row = case["given"]["subscriptions"][0]
    later = {"external_customer_id": "other", "created_at": "2024-05-01T00:00:00Z"}
    case["given"]["subscriptions"].append(row | later)
    (problem,) = problems_of(write(case))
    assert problem.path == "given.subscriptions[1].external_customer_id"


def test_parents_do_not_form_a_ring(case, write):
    case["given"]["customers"] = [
        {"external_id": "cust", "parent_external_id": "b"},
        {"external_id": "b", "parent_external_id": "cust"},
    ]
    # a child has no wallet: its parent pays
    assert [p.path for p in problems_of(write(case))] == [
        "given.customers[0].parent_external_id",
        "given.customers[1].parent_external_id",
        "given.wallets[0].external_customer_id",
    ]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ('{"case": "x",\n "as_of": }', 2, "valid JSON"),
        ('{"case": NaN}', None, "NaN is not a number of JSON"),
        ("[]", None, "a mapping"),
        ("", 1, "valid JSON"),
    ],
)
def test_a_file_that_is_not_a_case_is_refused(tmp_path, text, line, expected):
    path = tmp_path / "bad.json"
    path.write_text(text)
    problem = problems_of(path)[0]
    assert expected in problem.expected
    assert problem.line == line


def test_a_key_that_is_written_twice_is_refused(case, write):
    path = write(case)
    path.write_text(path.read_text().replace('"rate": "20.0"', '"rate": "20.0", "rate": "5"'))
    (problem,) = problems_of(path)
    assert problem.path == "given.taxes[0].rate"
    assert "written twice" in problem.expected


def test_the_line_is_that_of_the_innermost_mapping(case, write):
    changed(case, f"{RANGES}.1.per_unit_amount", 1.5)
    path = write(case)
    lines = path.read_text().splitlines()
    (problem,) = problems_of(path)
    assert lines[problem.line].strip() == '"from_value": 11,'


def test_expectations_have_only_known_keys(case, write):
    case["expect"]["invoices"][0]["fees"][0]["amount"] = 5
    (problem,) = problems_of(write(case))
    assert problem.path == "expect.invoices[0].fees[0].amount"
    assert '"amount_cents" perhaps' in problem.expected
    assert json.dumps(case["expect"])  # the case itself is plain JSON


def test_a_plan_change_stays_in_its_currency_unless_the_subscription_ended(case, write):
    given = case["given"]
    given["customers"][0].pop("currency")
    plan, row = given["plans"][0], given["subscriptions"][0]
    given["plans"].append(plan | {"code": "dollars", "amount_currency": "USD"})
    change = {"plan_code": "dollars", "created_at": "2024-05-01T00:00:00Z"}
    given["subscriptions"].append(row | change)
    (problem,) = problems_of(write(case))
    assert problem.path == "given.subscriptions[1].plan_code"
    assert "a plan in EUR, since sub runs on it" in problem.expected

    row["terminated_at"] = "2024-04-15T00:00:00Z"
    read_case(write(case))


def test_an_invoice_may_be_named_by_its_number_alone(case, write):
    changed(case, "payments.0.invoice", {"subscription": "sub", "nth": 2})
    read_case(write(case))
