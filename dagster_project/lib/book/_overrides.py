"""What plans become: private copies by `plan_overrides`, phases, and rate cards of customers."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from dagster_project.lib.book._accounts import Subscription
from dagster_project.lib.book._catalog import (
    BillableMetric,
    Charge,
    FixedCharge,
    Plan,
)
from dagster_project.lib.book._checks import References, check_plan_references
from dagster_project.lib.book._entries import Entry, PlanVariant, Tables
from dagster_project.lib.book._places import Place, Problems
from dagster_project.lib.book._plan_checks import check_plan
from dagster_project.lib.book._problems import nearest

_CHARGE_LISTS = ("charges", "fixed_charges")
# how a plan is billed stays as it is over its phases
_OF_THE_PLAN = (
    "interval",
    "amount_currency",
    "pay_in_advance",
    "bill_charges_monthly",
    "bill_fixed_charges_monthly",
    "trial_period",
)
_OF_THE_CARD = {"organization_id", "external_customer_id", "plan_code", "effective_at", "ending_at"}


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
            overrides = row.plan_overrides
            copy = _merged(plan.model, overrides, overrides.model_fields_set, private_plan_code(row), place, problems)
            copies.append(Entry(copy, place, len(tables.plans) + len(copies) + 1))
            check_plan(copy, place, metrics, problems)
            check_plan_references(copies[-1], references)
    return copies


def plan_variants(tables: Tables, copies: Sequence[Entry[Plan]], problems: Problems) -> list[Entry[Plan]]:
    """What the phases of plans and the rate cards of customers make of plans, one for each version.

    A phase is the plan, or the phase before it, with its own keys replaced. A rate card replaces keys of the plan and
    of each of its phases; a subscription with `plan_overrides` has its own prices, which no card changes.
    """
    metrics: dict[str, list[BillableMetric]] = {}
    for metric in tables.billable_metrics:
        metrics.setdefault(metric.model.code, []).append(metric.model)
    variants: list[Entry[Plan]] = []
    phased = {id(plan): _phases(plan, problems) for plan in (*tables.plans, *copies)}
    for plan in (*tables.plans, *copies):
        variants += phased[id(plan)]
    for card in tables.rate_cards:
        row = card.model
        keys = row.model_fields_set - _OF_THE_CARD
        for plan in (plan for plan in tables.plans if plan.model.code == row.plan_code):
            for base in (plan, *phased[id(plan)]):
                after = base.variant.after_periods if base.variant else 0
                code = f"{row.plan_code}@{row.external_customer_id}@{_compact(row.effective_at)}"
                code += f"+{after}" if after else ""
                merged = _merged(base.model, row, keys, code, card.place, problems)
                variant = PlanVariant(row.plan_code, after, row.external_customer_id, row.effective_at, row.ending_at)
                variants.append(Entry(merged, card.place, plan.position, variant))
    for entry in variants:
        check_plan(entry.model, entry.place, metrics, problems)
    return variants


def _phases(entry: Entry[Plan], problems: Problems) -> list[Entry[Plan]]:
    phases: list[Entry[Plan]] = []
    plan = entry.model
    for index, phase in enumerate(entry.model.phases):
        place = entry.place.at("phases", index)
        for key in sorted(phase.model_fields_set.intersection(_OF_THE_PLAN)):
            problems.add(place, f"no {key}: it is the same in all phases of a plan", key)
        if phases and phase.after_periods <= phases[-1].variant.after_periods:  # type: ignore[union-attr]
            problems.add(place, "more periods than the phase before", "after_periods")
        keys = phase.model_fields_set - {"after_periods", *_OF_THE_PLAN}
        code = f"{entry.model.code}+{phase.after_periods}"
        plan = _merged(plan, phase, keys, code, place, problems)
        phases.append(Entry(plan, place, entry.position, PlanVariant(entry.model.code, phase.after_periods)))
    return phases


def _is_sound(plan: Entry[Plan], metrics: Mapping[str, Sequence[BillableMetric]], tables: Tables) -> bool:
    """Whether the plan itself has no problem, which would be told again for each copy."""
    problems = Problems()
    check_plan(plan.model, plan.place, metrics, problems)
    check_plan_references(plan, References(tables, problems))
    return not problems.found


def private_plan_code(row: Subscription) -> str:
    """The code of a subscription's private plan: `<plan>@<external id>@<created at>`."""
    return f"{row.plan_code}@{row.external_id}@{_compact(row.created_at)}"


def _compact(moment: datetime) -> str:
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    return f"{moment:%Y%m%dT%H%M%S}{fraction}Z"


def _reaching(versions: Sequence[Entry[Plan]], created_at: datetime) -> list[Entry[Plan]]:
    ordered = sorted(versions, key=lambda plan: plan.model.effective_at)
    base = max((i for i, plan in enumerate(ordered) if plan.model.effective_at <= created_at), default=0)
    return [plan for i, plan in enumerate(ordered) if i <= base or plan.model.cascade_updates]


def _merged(plan: Plan, source: BaseModel, keys: AbstractSet[str], code: str, place: Place, problems: Problems) -> Plan:
    """The plan under another code, with these keys as the source has them."""
    changes: dict[str, Any] = {"code": code}
    for key in sorted(keys):
        value = getattr(source, key)
        if key in _CHARGE_LISTS:
            if value is None:
                continue
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
