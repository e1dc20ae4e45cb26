"""Records of books land as versions, the same on both engines."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from dagster_project.lib.book import read_book
from dagster_project.lib.landing.records import VanishedRecord, land_records
from dagster_project.lib.warehouse import Session, Warehouse

ALWAYS = datetime(1, 1, 1)


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    warehouse.create_raw_tables()
    with warehouse.connect() as session:
        yield session


@pytest.fixture
def given():
    return {
        "organization": {"default_currency": "EUR", "timezone": "Europe/Paris"},
        "taxes": [{"code": "vat", "rate": "0.000000000001"}],
        "billable_metrics": [
            {
                "code": "api",
                "aggregation_type": "count_agg",
                "filters": [{"key": "region", "values": ["eu"]}],
            }
        ],
        "plans": [
            {
                "code": "p",
                "interval": "monthly",
                "amount_cents": 100,
                "amount_currency": "EUR",
                "charges": [
                    {
                        "code": "c",
                        "billable_metric_code": "api",
                        "charge_model": "standard",
                        "properties": {"amount": "123456789.123456789012"},
                        "filters": [{"values": {"region": ["eu"]}, "properties": {"amount": "2"}}],
                    }
                ],
            }
        ],
        "customers": [
            {"external_id": "a", "name": 'Ö, "quoted"\nline', "tax_codes": ["vat"]},
            {"external_id": "b"},
        ],
        "subscriptions": [
            {
                "external_id": "s",
                "external_customer_id": "a",
                "plan_code": "p",
                "created_at": "2024-03-01T00:00:00.123456Z",
            }
        ],
    }


@pytest.fixture
def land(session, tmp_path):
    """Lands the given part of a case in a batch, as an organisation."""

    def land_given(given, batch_id, organization_id="acme"):
        path = tmp_path / "book.json"
        case = {"case": "book", "as_of": "2024-04-01T00:00:00Z", "given": given}
        path.write_text(json.dumps(case))
        book = read_book(path, organization_id=organization_id)
        with session.transaction():
            return land_records(session, book.records, batch_id=batch_id)

    return land_given


def rows(session, query):
    return session.rows(query.replace("raw.", session.schema("raw") + "."))


def test_the_first_landing_is_all_new_and_exact(session, land, given):
    counts = land(given, 1)

    assert (counts.new, counts.changed, counts.unchanged, counts.vanished) == (7, 0, 0, ())
    assert rows(session, "select tax_code, effective_at, tax_rate, batch_id from raw.taxes") == [
        ("vat", ALWAYS, Decimal("0.000000000001"), 1)
    ]
    assert rows(session, "select customer_name, position from raw.customers order by position") == [
        ('Ö, "quoted"\nline', 1),
        ("b", 2),
    ]
    assert rows(session, "select filter_position, amount, rate from raw.charge_filters order by 1") == [
        (0, Decimal("123456789.123456789012"), None),
        (1, Decimal(2), None),
    ]
    assert rows(session, "select created_at, ending_at from raw.subscriptions") == [
        (datetime(2024, 3, 1, 0, 0, 0, 123456), None)
    ]
    ((hash_length, line),) = rows(session, "select length(record_hash), source_line from raw.subscriptions")
    assert (hash_length, line) == (64, 1)


def test_the_same_book_lands_nothing_again(session, land, given):
    land(given, 1)
    counts = land(given, 2)
    assert (counts.new, counts.changed, counts.unchanged, counts.vanished) == (0, 0, 7, ())
    assert rows(session, "select max(batch_id) from raw.plans") == [(1,)]


def test_a_changed_child_makes_a_version_with_all_children(session, land, given):
    land(given, 1)
    given["plans"][0]["charges"][0]["filters"][0]["properties"]["amount"] = "3"
    counts = land(given, 2)

    assert (counts.new, counts.changed, counts.unchanged) == (0, 1, 6)
    assert rows(
        session,
        "select batch_id, filter_position, amount from raw.charge_filters where filter_position = 1 order by 1",
    ) == [(1, 1, Decimal(2)), (2, 1, Decimal(3))]
    assert rows(session, "select batch_id, count(*) from raw.charge_filters group by 1") != []
    assert rows(session, "select batch_id from raw.plans order by 1") == [(1,), (2,)]
    assert rows(session, "select batch_id from raw.customers order by 1") == [(1,), (1,)]


def test_a_change_is_compared_with_the_latest_version(session, land, given):
    land(given, 1)
    given["taxes"][0]["rate"] = "20"
    assert land(given, 2).changed == 1
    assert land(given, 3).changed == 0
    given["taxes"][0]["rate"] = "0.000000000001"
    assert land(given, 4).changed == 1
    assert [r for (r,) in rows(session, "select batch_id from raw.taxes order by 1")] == [1, 2, 4]


def test_vanished_rows_are_reported_and_never_deleted(session, land, given):
    land(given, 1)
    smaller = given | {"subscriptions": [], "customers": given["customers"][:1]}

    counts = land(smaller, 2)

    created_at = datetime(2024, 3, 1, 0, 0, 0, 123456)
    assert counts.vanished == (
        VanishedRecord("customers", "acme", ("b",)),
        VanishedRecord("subscriptions", "acme", ("s", created_at)),
    )
    assert rows(session, "select count(*) from raw.customers") == [(2,)]
    assert (land(given, 3).new, land(given, 4).vanished) == (0, ())


def test_organisations_do_not_touch_each_other(session, land, given):
    land(given, 1, organization_id="one")
    counts = land(given, 2, organization_id="two")
    assert (counts.new, counts.vanished) == (7, ())
    assert land(given | {"subscriptions": []}, 3, organization_id="two").vanished[0].table == ("subscriptions")
    assert rows(session, "select organization_id from raw.plans order by 1") == [("one",), ("two",)]


def test_another_date_of_effect_is_another_record(session, land, given):
    land(given, 1)
    given["taxes"].append({"code": "vat", "rate": "21", "effective_at": "2025-01-01T00:00:00Z"})
    counts = land(given, 2)
    assert (counts.new, counts.changed) == (1, 0)


def test_a_failing_transaction_lands_nothing(session, land, given, tmp_path):
    land(given, 1)
    given["customers"].append({"external_id": "c"})
    path = tmp_path / "again.json"
    case = {"case": "book", "as_of": "2024-04-01T00:00:00Z", "given": given}
    path.write_text(json.dumps(case))

    def land_and_fail():
        with session.transaction():
            land_records(session, read_book(path, organization_id="acme").records, batch_id=2)
            raise RuntimeError("the close was killed")

    with pytest.raises(RuntimeError, match="killed"):
        land_and_fail()
    assert rows(session, "select count(*) from raw.customers") == [(2,)]
    assert land(given, 2).new == 1
