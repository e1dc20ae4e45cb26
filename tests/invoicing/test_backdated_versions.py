"""A version that lands after periods it is in force for: `restatement` shows what one close that knew it would have billed.

Each book is billed twice in one warehouse, as two organisations: one has closed its first months when the version
lands, the other lands whole and closes once. What was billed, with the differences, must come to the same line by
line; figures beside each book say what the differences are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.book import Book, read_case
from dagster_project.lib.close import (
    land_books,
    land_calendar,
    open_close,
    prepare_warehouse,
    rate_candidates,
    seed_reference,
)
from dagster_project.lib.dbt_runs import LEDGER_SELECTION, RATING_SELECTION, DbtRuns
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import Session, Warehouse

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FIRST, SECOND = datetime(2024, 4, 15, 6, tzinfo=UTC), datetime(2024, 5, 1, 6, tzinfo=UTC)
# month, type of fee, code: the sum of the differences in cents
Differences = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Story:
    """What is known by the first close, what lands before the second (rows that replace or add), and what that changes."""

    about: str
    given: dict[str, Any]
    later: dict[str, Any]
    differences: Differences
    # whether one close would have billed the same
    is_path_independent: bool = True
    # what lands before a third close at the instant of the second
    last: dict[str, Any] = field(default_factory=dict)


def plan(**changes: Any) -> dict[str, Any]:
    """10.00 a month in arrears and 0.10 a call."""
    return {
        "code": "p",
        "name": "P",
        "interval": "monthly",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "charges": [charge("calls", "0.1")],
        **changes,
    }


def charge(code: str, amount: str, **changes: Any) -> dict[str, Any]:
    """A charge at a price a unit."""
    return {
        "code": code,
        "billable_metric_code": code,
        "charge_model": "standard",
        "properties": {"amount": amount},
        **changes,
    }


def fixed(amount: str, **changes: Any) -> dict[str, Any]:
    """Three seats at a price."""
    return {
        "code": "seats",
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": "3",
        "properties": {"amount": amount},
        **changes,
    }


def subscription(external_id: str = "s", created_at: str = "2024-01-01T00:00:00Z", **changes: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "external_customer_id": "cust",
        "plan_code": "p",
        "billing_time": "calendar",
        "created_at": created_at,
        "subscription_at": created_at,
        **changes,
    }


def given(*plans: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A customer on plan `p` from January on, with 20 calls and 5 seats added in each month."""
    return {
        "organization": {"timezone": "UTC", "default_currency": "EUR", "country": "FR"},
        "billable_metrics": [
            {"code": "calls", "name": "Calls", "aggregation_type": "sum_agg", "field_name": "n"},
            {"code": "level", "name": "Level", "aggregation_type": "sum_agg", "field_name": "m", "recurring": True},
        ],
        "add_ons": [{"code": "seat", "name": "Seat", "amount_cents": 100, "amount_currency": "EUR"}],
        "plans": list(plans),
        "customers": [{"external_id": "cust", "name": "Cust", "currency": "EUR"}],
        "subscriptions": [subscription()],
        "events": [
            {
                "transaction_id": f"{code}{month}",
                "external_subscription_id": "s",
                "code": code,
                "timestamp": f"2024-0{month}-10T12:00:00Z",
                "properties": {name: quantity},
            }
            for month in (1, 2, 3, 4)
            for code, name, quantity in (("calls", "n", "20"), ("level", "m", "5"))
        ],
        **changes,
    }


FEBRUARY = {"effective_at": "2024-02-01T00:00:00Z"}
STORIES = {
    "prices_from_february": Story(
        "12.00 and 0.15 a call from 1 February: February and March are billed by it, January is not",
        given(plan()),
        {"plans": [plan(), plan(amount_cents=1200, charges=[charge("calls", "0.15")], **FEBRUARY)]},
        {
            ("02", "subscription", "p"): 200,
            ("03", "subscription", "p"): 200,
            ("02", "charge", "calls"): 100,
            ("03", "charge", "calls"): 100,
        },
    ),
    "prices_from_the_middle_of_february": Story(
        "a period under way is not repriced, so March alone is",
        given(plan()),
        {"plans": [plan(), plan(amount_cents=1200, effective_at="2024-02-15T00:00:00Z")]},
        {("03", "subscription", "p"): 200},
    ),
    "prices_from_the_day_of_the_close": Story(
        "from 1 April: of what was billed on that day only the seats are for April: 3 at 1.50 in place of 1.00",
        given(plan(fixed_charges=[fixed("1", pay_in_advance=True)])),
        {
            "plans": [
                plan(fixed_charges=[fixed("1", pay_in_advance=True)]),
                plan(
                    amount_cents=1200,
                    fixed_charges=[fixed("1.5", pay_in_advance=True)],
                    effective_at="2024-04-01T00:00:00Z",
                ),
            ]
        },
        {("04", "fixed_charge", "seats"): 150},
    ),
    "prices_from_before_the_start": Story(
        "for subscriptions that are asked for from June 2023 on: this one, from its start",
        given(plan()),
        {"plans": [plan(), plan(amount_cents=1200, effective_at="2023-06-01T00:00:00Z", cascade_updates=False)]},
        {(month, "subscription", "p"): 200 for month in ("01", "02", "03")},
    ),
    "plan_in_advance_with_a_commitment": Story(
        "15.00 from February on, three times paid in advance; of the 30.00 of February and March 5.00 less are missing. "
        "What April lacks is settled after the version landed, by the 10.00 that were paid for it",
        given(plan(pay_in_advance=True, minimum_commitment={"amount_cents": 3000})),
        {
            "plans": [
                plan(pay_in_advance=True, minimum_commitment={"amount_cents": 3000}),
                plan(pay_in_advance=True, minimum_commitment={"amount_cents": 3000}, amount_cents=1500, **FEBRUARY),
            ]
        },
        {
            ("02", "subscription", "p"): 500,
            ("03", "subscription", "p"): 500,
            ("04", "subscription", "p"): 500,
            ("02", "commitment", "p"): -500,
            ("03", "commitment", "p"): -500,
        },
        is_path_independent=False,
    ),
    "for_new_subscriptions": Story(
        "the one of 10 February: 20 of 29 days of 12.00 are 8.28 in place of 6.90; then a whole month",
        given(plan(), subscriptions=[subscription(), subscription("new", "2024-02-10T00:00:00Z")]),
        {"plans": [plan(), plan(amount_cents=1200, cascade_updates=False, **FEBRUARY)]},
        {("02", "subscription", "p"): 138, ("03", "subscription", "p"): 200},
    ),
    "no_longer_for_old_subscriptions": Story(
        "12.00 from February on, also in April; then only for new ones: of that, April was billed",
        given(plan()),
        {"plans": [plan(), plan(amount_cents=1200, **FEBRUARY)]},
        {("04", "subscription", "p"): -200},
        last={"plans": [plan(), plan(amount_cents=1200, cascade_updates=False, **FEBRUARY)]},
    ),
    "phases": Story(
        "10.00, and 5.00 from the third month on; from February 12.00 and 8.00",
        given(plan(phases=[{"after_periods": 2, "amount_cents": 500}])),
        {
            "plans": [
                plan(phases=[{"after_periods": 2, "amount_cents": 500}]),
                plan(amount_cents=1200, phases=[{"after_periods": 2, "amount_cents": 800}], **FEBRUARY),
            ]
        },
        {("02", "subscription", "p"): 200, ("03", "subscription", "p"): 300},
    ),
    "overrides": Story(
        "a plan fee of its own, the calls by the plan",
        given(plan(), subscriptions=[subscription(plan_overrides={"amount_cents": 900})]),
        {"plans": [plan(), plan(amount_cents=1200, charges=[charge("calls", "0.15")], **FEBRUARY)]},
        {("02", "charge", "calls"): 100, ("03", "charge", "calls"): 100},
    ),
    "rate_card": Story(
        "8.00 from February on; then it turns out to have ended with February",
        given(plan()),
        {"rate_cards": [{"external_customer_id": "cust", "plan_code": "p", "amount_cents": 800, **FEBRUARY}]},
        {("02", "subscription", "p"): -200, ("04", "subscription", "p"): 200},
        last={
            "rate_cards": [
                {
                    "external_customer_id": "cust",
                    "plan_code": "p",
                    "amount_cents": 800,
                    "ending_at": "2024-03-01T00:00:00Z",
                    **FEBRUARY,
                }
            ]
        },
    ),
    "metric": Story(
        "20 calls are counted in hundreds, rounded up: 100",
        given(plan()),
        {
            "billable_metrics": [
                *given()["billable_metrics"],
                {
                    "code": "calls",
                    "name": "Calls",
                    "aggregation_type": "sum_agg",
                    "field_name": "n",
                    "rounding_function": "ceil",
                    "rounding_precision": -2,
                    **FEBRUARY,
                },
            ]
        },
        {("02", "charge", "calls"): 800, ("03", "charge", "calls"): 800},
    ),
    "charges_in_advance": Story(
        "an event of 20 calls and one of 5 units a month; units are renewed: 10 with March's bill, 15 with April's. April's "
        "events were charged before the version came: found when April is billed",
        given(plan(charges=[charge("calls", "0.1", pay_in_advance=True), charge("level", "1", pay_in_advance=True)])),
        {
            "plans": [
                plan(charges=[charge("calls", "0.1", pay_in_advance=True), charge("level", "1", pay_in_advance=True)]),
                plan(
                    charges=[charge("calls", "0.15", pay_in_advance=True), charge("level", "1.5", pay_in_advance=True)],
                    **FEBRUARY,
                ),
            ]
        },
        {
            ("02", "charge", "calls"): 100,
            ("03", "charge", "calls"): 100,
            ("02", "charge", "level"): 250 + 500,
            ("03", "charge", "level"): 250 + 750,
            ("04", "charge", "calls"): 100,
            ("04", "charge", "level"): 250,
        },
    ),
    "usage_billed_monthly": Story(
        "120.00 a year, of which nothing is billed yet; the calls month by month",
        given(plan(interval="yearly", amount_cents=12000, bill_charges_monthly=True)),
        {
            "plans": [
                plan(interval="yearly", amount_cents=12000, bill_charges_monthly=True),
                plan(
                    interval="yearly",
                    amount_cents=24000,
                    bill_charges_monthly=True,
                    charges=[charge("calls", "0.15")],
                    **FEBRUARY,
                ),
            ]
        },
        {("02", "charge", "calls"): 100, ("03", "charge", "calls"): 100},
    ),
    "another_rhythm": Story(
        "a version by the quarter has no price for the months that were billed",
        given(plan()),
        {"plans": [plan(), plan(interval="quarterly", amount_cents=2000, effective_at="2023-06-01T00:00:00Z")]},
        {},
        is_path_independent=False,
    ),
    "with_a_late_event": Story(
        "10 calls more in February, at the price of the version: 1.50",
        given(plan()),
        {
            "plans": [plan(), plan(charges=[charge("calls", "0.15")], **FEBRUARY)],
            "events": [
                *given()["events"],
                {**given()["events"][0], "transaction_id": "late", "timestamp": "2024-02-20T00:00:00Z"}
                | {"properties": {"n": "10"}},
            ],
        },
        {("02", "charge", "calls"): 100 + 150, ("03", "charge", "calls"): 100},
    ),
    "charge_that_came_with_the_version": Story(
        "units that no charge read until then, at 1.00: 10 in February, 15 in March",
        given(plan()),
        {"plans": [plan(), plan(charges=[charge("calls", "0.1"), charge("level", "1")], **FEBRUARY)]},
        {("02", "charge", "level"): 1000, ("03", "charge", "level"): 1500},
    ),
    "minimum_of_a_charge": Story(
        "5.00 at least for calls: what they cost more is missing no more",
        given(plan(charges=[charge("calls", "0.1", min_amount_cents=500)])),
        {
            "plans": [
                plan(charges=[charge("calls", "0.1", min_amount_cents=500)]),
                plan(charges=[charge("calls", "0.15", min_amount_cents=500)], **FEBRUARY),
            ]
        },
        {
            ("02", "charge", "calls"): 100,
            ("03", "charge", "calls"): 100,
            ("02", "true_up", "calls"): -100,
            ("03", "true_up", "calls"): -100,
        },
    ),
    "before_an_upgrade": Story(
        "to a plan of 20.00 on 20 February: until then 19 of 29 days of 11.00, 7.21, in place of 6.55",
        given(
            plan(),
            plan(code="q", amount_cents=2000),
            subscriptions=[subscription(), subscription(created_at="2024-02-20T00:00:00Z", plan_code="q")],
        ),
        {
            "plans": [
                plan(),
                plan(code="q", amount_cents=2000),
                plan(amount_cents=1100, effective_at="2024-01-01T00:00:00Z"),
            ]
        },
        {("01", "subscription", "p"): 100, ("02", "subscription", "p"): 66},
    ),
}


def book(folder: Path, organization: str, content: dict[str, Any]) -> Book:
    path = folder / f"{organization}.json"
    path.write_text(
        json.dumps(
            {"case": organization, "features": [], "as_of": "2024-04-01T06:00:00Z", "given": content, "expect": {}}
        )
    )
    return read_case(path, organization_id=organization).book


def close(warehouse: Warehouse, runs: DbtRuns, as_of: Mapping[str, datetime]) -> None:
    with warehouse.connect() as session:
        open_close(session, as_of=dict(as_of), known_at=None, started_at=NOW, code_versions=dict.fromkeys(as_of, "1"))
    rate_candidates(warehouse, runs, RATING_SELECTION)
    runs.run(LEDGER_SELECTION)


def lines(session: Session, organization: str, *, is_restated: bool) -> dict[tuple[Any, ...], int]:
    """What each line came to: as billed, or with the differences found later; lines of nothing left out."""
    ledger = session.schema("ledger")
    line = "external_subscription_id, fee_type, fee_code, filter_values, group_values, from_date, to_date, currency"
    rows = session.rows(
        f"""
        select {line}, cast(sum(amount_cents) as bigint) from (
            select {line}, amount_cents from {ledger}.ledger_fees where organization_id = '{organization}'
            union all
            select {line}, difference_amount_cents from {ledger}.ledger_restatements
            where organization_id = '{organization}' and {is_restated}
        ) as known
        group by {line}
        """
    )
    return {tuple(row[:-1]): row[-1] for row in rows if row[-1] != 0}


@pytest.fixture
def ledger(warehouse: Warehouse, tmp_path: Path) -> Iterator[Session]:
    """The ledger after all stories, each told late and in time."""
    late = {name: book(tmp_path, name, story.given) for name, story in STORIES.items()}
    merged = {name: {**deepcopy(story.given), **story.later} for name, story in STORIES.items()}
    last = {name: {**merged[name], **story.last} for name, story in STORIES.items()}
    prepare_warehouse(warehouse)
    land_calendar(warehouse, last_year=2025)
    runs = DbtRuns(warehouse, tmp_path / "home")

    def land(books: Sequence[Book]) -> None:
        land_books(warehouse, books, landed_at=NOW, progress=SilentProgress())

    land(list(late.values()))
    seed_reference(warehouse, runs)
    close(warehouse, runs, dict.fromkeys(late, FIRST))
    land([book(tmp_path, name, content) for name, content in merged.items()])
    close(warehouse, runs, dict.fromkeys(late, SECOND))
    land([book(tmp_path, name, content) for name, content in last.items()])
    land([book(tmp_path, f"{name}_in_time", content) for name, content in last.items()])
    close(warehouse, runs, dict.fromkeys([*late, *(f"{name}_in_time" for name in late)], SECOND))
    with warehouse.connect(read_only=True) as session:
        yield session


@pytest.mark.slow
def test_restatement_shows_what_a_version_would_have_changed(ledger: Session) -> None:
    told_late = {name: lines(ledger, name, is_restated=True) for name in STORIES}
    in_time = {name: lines(ledger, f"{name}_in_time", is_restated=False) for name in STORIES}
    assert [n for n, story in STORIES.items() if story.is_path_independent and told_late[n] != in_time[n]] == []
    found: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in STORIES}
    for name, *line, cents in ledger.rows(
        f"""
        select organization_id, substr(cast(from_date as varchar), 6, 2), fee_type, fee_code,
            cast(sum(difference_amount_cents) as bigint)
        from {ledger.schema("ledger")}.ledger_restatements
        group by 1, 2, 3, 4 having sum(difference_amount_cents) <> 0
        """
    ):
        found[name][tuple(line)] = cents
    assert found == {name: story.differences for name, story in STORIES.items()}
    causes = ledger.rows(
        f"select distinct organization_id, cause, outcome from {ledger.schema('ledger')}.ledger_restatements "
        "where cause <> 'corrected_price' or outcome <> 'reported'"
    )
    assert causes == [("with_a_late_event", "late_event", "reported")]
