"""Overrides of a subscription make a private copy of its plan."""

from decimal import Decimal

import pytest

from dagster_project.lib.book import BookError, read_book


def plans(book):
    return {record.key: record for record in book.records if record.table == "plans"}


def subscription(book):
    return next(record.row for record in book.records if record.table == "subscriptions")


def test_a_copy_has_the_changes_and_the_rest_of_its_plan(case, write):
    case["given"]["subscriptions"][0]["plan_overrides"] = {
        "amount_cents": 1,
        "minimum_commitment": None,
        "charges": [{"code": "fees", "properties": {"rate": "1"}}],
        "fixed_charges": [{"code": "seats", "units": "2"}],
    }
    book = read_book(write(case))
    code = "p@sub@20240301T000000Z"
    row = subscription(book)
    assert (row["plan_code"], row["base_plan_code"]) == (code, "p")
    base, copy = plans(book).values()
    assert (base.row["amount_cents"], copy.row["amount_cents"]) == (3500, 1)
    assert copy.row["plan_code"] == code
    assert copy.row["minimum_commitment_amount_cents"] is None
    assert copy.row["plan_name"] == "Plan"
    assert {r["plan_code"] for rows in copy.children.values() for r in rows} == {code}
    rates = [r["rate"] for r in copy.children["charge_filters"] if r["charge_code"] == "fees"]
    assert rates == [1]
    assert [r["units"] for r in copy.children["fixed_charges"]] == [2]
    assert [r["amount"] for r in copy.children["fixed_charges"]] == [5]
    assert base.children["charge_ranges"][0]["per_unit_amount"] == Decimal(2)
    assert len(copy.children["charge_ranges"]) == len(base.children["charge_ranges"])


def test_every_version_of_a_plan_is_copied_unless_it_does_not_cascade(case, write):
    plan = case["given"]["plans"][0]
    for date, cascades in (("2024-02-01", False), ("2024-06-01", True), ("2024-09-01", False)):
        version = {"effective_at": f"{date}T00:00:00Z", "cascade_updates": cascades}
        case["given"]["plans"].append(plan | version)
    case["given"]["subscriptions"][0]["plan_overrides"] = {"amount_cents": 1}

    copies = [at for code, at in plans(read_book(write(case))) if "@" in code]

    assert [f"{at:%Y-%m-%d}"[-5:] for at in copies] == ["01-01", "02-01", "06-01"]


@pytest.mark.parametrize(
    ("overrides", "path", "expected"),
    [
        ({"amuont_cents": 1}, "amuont_cents", '"amount_cents" perhaps'),
        ({"fixed_charges": [{"code": "seat", "units": "1"}]}, "fixed_charges[0].code", "seats"),
        (
            {"charges": [{"code": "fees", "properties": {"amount": "1"}}]},
            "charges[1].properties.rate",
            "a percentage price needs it",
        ),
        ({"tax_codes": ["none"]}, "tax_codes[0]", "a tax of the book"),
    ],
)
def test_a_mistake_in_overrides_is_told_at_the_subscription(case, write, overrides, path, expected):
    case["given"]["subscriptions"][0]["plan_overrides"] = overrides
    with pytest.raises(BookError) as caught:
        read_book(write(case))
    places = {p.path: p.expected for p in caught.value.problems}
    assert expected in places[f"given.subscriptions[0].plan_overrides.{path}"]
