"""Private copies of plans, made by `plan_overrides` (semantics/lifecycle.md section 3.3)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from dagster_project.lib.book._accounts import Subscription
from dagster_project.lib.book._catalog import (
    BillableMetric,
    Charge,
    FixedCharge,
    Plan,
    PlanOverrides,
)
from dagster_project.lib.book._checks import References, check_plan_references
from dagster_project.lib.book._entries import Entry, Tables
from dagster_project.lib.book._places import Place, Problems
from dagster_project.lib.book._plan_checks import check_plan
from dagster_project.lib.book._problems import nearest

_CHARGE_LISTS = ("charges", "fixed_charges")


def private_plans(tables: Tables, problems: Problems) -> list[Entry[Plan]]:
    """The copies of plans that subscriptions with overrides are on, one for each version.

    A version with `cascade_updates` false that comes after the subscription does not reach its
    copy.
    """
    metrics: dict[str, list[BillableMetric]] = {}
    for metric in tables.billable_metrics:
        metrics.setdefault(metric.model.code, []).append(metric.model)
    references = References(tables, problems)
    sound = [plan for plan in tables.plans if _is_sound(plan, metrics, tables)]
    copies: list[Entry[Plan]] = []
    for entry in tables.subscriptions:
        row = entry.model
        if row.plan_overrides is None:
            continue
        place = entry.place.at("plan_overrides")
        versions = [plan for plan in sound if plan.model.code == row.plan_code]
        for plan in _reaching(versions, row.created_at):
            copy = _merged(plan.model, row.plan_overrides, private_plan_code(row), place, problems)
            copies.append(Entry(copy, place, len(tables.plans) + len(copies) + 1))
            check_plan(copy, place, metrics, problems)
            check_plan_references(copies[-1], references)
    return copies


def _is_sound(plan: Entry[Plan], metrics: Mapping[str, Sequence[BillableMetric]], tables: Tables) -> bool:
    """Whether the plan itself has no problem, which would be told again for each copy."""
    problems = Problems()
    check_plan(plan.model, plan.place, metrics, problems)
    check_plan_references(plan, References(tables, problems))
    return not problems.found


def private_plan_code(row: Subscription) -> str:
    """The code of a subscription's private plan: `<plan>@<external id>@<created at>`."""
    created = row.created_at.strftime("%Y%m%dT%H%M%S")
    fraction = f".{row.created_at.microsecond:06d}" if row.created_at.microsecond else ""
    return f"{row.plan_code}@{row.external_id}@{created}{fraction}Z"


def _reaching(versions: Sequence[Entry[Plan]], created_at: datetime) -> list[Entry[Plan]]:
    ordered = sorted(versions, key=lambda plan: plan.model.effective_at)
    base = max((i for i, plan in enumerate(ordered) if plan.model.effective_at <= created_at), default=0)
    return [plan for i, plan in enumerate(ordered) if i <= base or plan.model.cascade_updates]


def _merged(plan: Plan, overrides: PlanOverrides, code: str, place: Place, problems: Problems) -> Plan:
    changes: dict[str, Any] = {"code": code}
    for key in overrides.model_fields_set:
        value = getattr(overrides, key)
        if key in _CHARGE_LISTS:
            value = _with_changes(getattr(plan, key), value, plan.code, place.at(key), problems)
        changes[key] = value
    return plan.model_copy(update=changes)


def _with_changes(
    charges: Sequence[Charge | FixedCharge],
    changes: Sequence[BaseModel],
    plan_code: str,
    place: Place,
    problems: Problems,
) -> list[BaseModel]:
    by_code: dict[str, BaseModel] = {charge.code: charge for charge in charges}
    for index, change in enumerate(changes):
        code = change.code  # type: ignore[attr-defined]
        if code not in by_code:
            wanted = f"a charge of plan {plan_code}: {nearest(code, by_code)}"
            problems.add(place, wanted, index, "code")
            continue
        update = {key: getattr(change, key) for key in change.model_fields_set}
        by_code[code] = by_code[code].model_copy(update=update)
    return list(by_code.values())
