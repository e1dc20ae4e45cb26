"""A case is read into records, events and expectations."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dagster_project.lib.book import read_book, read_case
from dagster_project.lib.errors import InputError
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES_BY_NAME


def rows(book, table):
    """The rows of a raw table, of records or of their children."""
    own = [record.row for record in book.records if record.table == table]
    return own + [row for record in book.records for row in record.children.get(table, ())]


def test_a_case_keeps_its_name_its_moment_and_its_expectations(case, write):
    read = read_case(write(case))

    assert (read.name, read.about, read.features) == (
        "two_regions",
        "usage is priced by region",
        ("graduated", "sum_agg"),
    )
    assert read.as_of == datetime(2024, 4, 1, 6, tzinfo=UTC)
    assert read.expect == case["expect"]
    assert read.organization_id == "two_regions"
    assert read.book.timezones == {"Europe/Paris"}


def test_a_remark_may_be_empty(case, write):
    case["about"] = ""
    assert read_case(write(case)).about == ""


def test_the_given_organization_id_replaces_that_of_the_case(case, write):
    case["given"]["organization"]["id"] = "acme"
    assert read_case(write(case)).organization_id == "acme"

    read = read_case(write(case), organization_id="cases/one.json")
    assert read.book.organization_ids == ("cases/one.json",)
    assert {record.organization_id for record in read.book.records} == {"cases/one.json"}
    assert read.book.event_sources[0].organization_id == "cases/one.json"


def test_every_row_has_exactly_the_columns_of_its_raw_table(case, write):
    book = read_book(write(case))

    for record in book.records:
        own = RAW_TABLES_BY_NAME[record.table]
        assert record.row.keys() == own.columns.keys()
        for child, children in record.children.items():
            assert RAW_TABLES_BY_NAME[child].parent == record.table
            for row in children:
                assert row.keys() == RAW_TABLES_BY_NAME[child].columns.keys()


def test_a_charge_lands_as_a_default_bucket_and_one_bucket_a_filter(case, write):
    book = read_book(write(case))

    buckets = [row for row in rows(book, "charge_filters") if row["charge_code"] == "api_charge"]
    assert [(row["filter_position"], row["invoice_display_name"]) for row in buckets] == [
        (0, None),
        (1, "EU"),
    ]
    assert [
        (r["filter_position"], r["range_position"], r["from_value"], r["to_value"]) for r in rows(book, "charge_ranges")
    ] == [(0, 1, 0, 10), (0, 2, 11, None), (1, 1, 0, None)]
    assert [r["flat_amount"] for r in rows(book, "charge_ranges")] == [0, 3, 0]
    assert [
        (r["filter_position"], r["filter_key"], r["value_position"], r["filter_value"])
        for r in rows(book, "charge_filter_values")
    ] == [(1, "region", 1, "eu"), (1, "region", 2, "us")]
    assert [(r["filter_position"], r["group_key"]) for r in rows(book, "charge_group_keys")] == [(0, "cloud")]
    percentage = next(r for r in rows(book, "charge_filters") if r["charge_code"] == "fees")
    assert percentage["rate"] == Decimal("2.5")
    assert percentage["free_units_per_total_aggregation"] == 250


def test_taxes_are_listed_by_their_owner(case, write):
    case["given"]["plans"][0]["charges"][0]["tax_codes"] = ["vat20"]
    case["given"]["plans"][0]["fixed_charges"][0]["tax_codes"] = ["vat20"]
    owners = [(r["owner_type"], r["owner_code"]) for r in rows(read_book(write(case)), "plan_taxes")]
    assert owners == [
        ("plan", None),
        ("minimum_commitment", None),
        ("charge", "api_charge"),
        ("fixed_charge", "seats"),
    ]


def test_missing_keys_have_their_defaults(case, write):
    book = read_book(write(case))

    always = datetime(1, 1, 1)
    (plan,) = rows(book, "plans")
    assert plan["effective_at"] == always
    assert (plan["is_pay_in_advance"], plan["bill_charges_monthly"]) == (False, False)
    assert (plan["trial_period_days"], plan["cascade_updates"]) == (0, True)
    (organization,) = rows(book, "organizations")
    assert organization["organization_name"] == "two_regions"
    assert organization["document_number_prefix"] is None
    assert (organization["invoice_grace_period"], organization["late_usage"]) == (0, "report")
    assert organization["finalize_zero_amount_invoice"] is True
    metric = rows(book, "billable_metrics")[0]
    assert (metric["event_code"], metric["billable_metric_name"]) == ("api", "api")
    (subscription,) = rows(book, "subscriptions")
    assert subscription["billing_time"] == "calendar"
    assert subscription["subscription_at"] == subscription["created_at"]
    assert (subscription["plan_code"], subscription["base_plan_code"]) == ("p", None)
    (wallet,) = rows(book, "wallets")
    assert (wallet["rate_amount"], wallet["priority"]) == (1, 50)
    (movement,) = rows(book, "wallet_transactions")
    assert movement["settled_at"] == movement["created_at"]
    (note,) = rows(book, "credit_notes")
    assert note["match_issuing_date"] == date(2024, 4, 1)
    assert (note["refund_amount_cents"], note["offset_amount_cents"]) == (0, 0)


def test_a_purchase_without_settlement_is_not_settled(case, write):
    case["given"]["wallet_transactions"][0]["kind"] = "purchased"
    (movement,) = rows(read_book(write(case)), "wallet_transactions")
    assert movement["settled_at"] is None


@pytest.mark.parametrize(
    ("number", "given", "expected"),
    [
        (None, None, None),
        ("FR40303265045", None, "confirmed"),  # the check digits of SIREN 303265045 are 40
        ("FR41303265045", None, "refused"),
        ("nonsense", None, "refused"),
        ("FR40303265045", "pending", "pending"),
    ],
)
def test_a_vat_number_is_checked_by_its_digits_unless_the_book_says(case, write, number, given, expected):
    case["given"]["customers"][0] |= {"tax_identification_number": number, "vat_check": given}
    (customer,) = rows(read_book(write(case)), "customers")
    assert customer["vat_check"] == expected


def test_events_keep_the_text_of_their_numbers(case, write, tmp_path):
    path = write(case)
    text = path.read_text().replace('"n": "10"', '"n": 10.500000000000000000001')
    path.write_text(text)

    (source,) = read_book(path).event_sources
    assert source.kind == "inline"
    assert '"n": 10.500000000000000000001' in source.lines[0]
    assert "\n" not in source.lines[0]
    assert text.splitlines()[source.line_numbers[0] - 1].strip() == "{"


def test_an_invalid_event_is_left_for_the_quarantine(case, write):
    case["given"]["events"].append({"timestamp": "yesterday", "unknown": [1]})
    assert len(read_book(write(case)).event_sources[0].lines) == 2


def test_records_know_their_file_and_line(case, write):
    path = write(case)
    lines = path.read_text().splitlines()
    for record in read_book(path).records:
        assert record.source_file == "two_regions.json"
        assert lines[record.source_line - 1].rstrip().endswith("{")


def test_a_path_to_nothing_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="neither a book's folder nor a case"):
        read_case(tmp_path / "absent.json")
    with pytest.raises(InputError, match="neither"):
        read_book(tmp_path / "absent")
