"""The event that replaces another one, judged and written as if it had been landed itself."""

import calendar
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from dagster_project.lib.book._accounts import EventCorrection
from dagster_project.lib.book._book import RowValues
from dagster_project.lib.book._catalog import BillableMetric
from dagster_project.lib.book._types import canonical_json, parse_time
from dagster_project.lib.event_judge import EventJudge, Refusal
from dagster_project.lib.expressions import EvaluationError, evaluate, parse_formula

_MEASURED = {"sum_agg", "max_agg", "latest_agg", "weighted_sum_agg"}
_IDS = ("transaction_id", "external_subscription_id")
NO_EVENT: RowValues = {"code": None, "event_at": None, "properties": None, "precise_total_amount_cents": None}


class ReplacementError(Exception):
    """The event that replaces another one cannot be taken; the message says what was expected."""


def replacement(correction: EventCorrection, metrics: Sequence[BillableMetric]) -> RowValues:
    """The columns of a correction that hold its event (all null for a cancellation), its properties as JSON text.

    The same rules as at landing (event_judge.py), and the expressions of metrics in force at the event's time set
    their properties. Raises ReplacementError.
    """
    if correction.event is None:
        return NO_EVENT
    event = {name: value for name, value in correction.event.items() if name != "organization_id"}
    for name in _IDS:
        if event.setdefault(name, getattr(correction, name)) != getattr(correction, name):
            raise ReplacementError(f"the {name} of the event that is corrected: an event keeps its ids")
    quantities: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for metric in metrics:
        if metric.field_name and metric.expression is None and metric.aggregation_type in _MEASURED:
            quantities.setdefault(("", metric.event_code or metric.code), []).append((metric.code, metric.field_name))
    try:
        text = EventJudge({""}, quantities).rewritten(canonical_json(event), None, "")
    except Refusal as refusal:
        raise ReplacementError(f"an event that can be landed: {refusal.reason}") from None
    judged: dict[str, Any] = json.loads(text or "{}", parse_float=str, parse_int=str)
    event_at = parse_time(judged["timestamp"])
    assert event_at is not None
    amount = judged.get("precise_total_amount_cents")
    # the properties as they were written: numbers keep their text
    properties = json.dumps(_computed(judged, event_at, metrics), ensure_ascii=False, separators=(",", ":"))
    return {
        "code": judged["code"],
        "event_at": event_at,
        "properties": properties,
        "precise_total_amount_cents": None if amount is None else Decimal(amount),
    }


def _computed(event: dict[str, Any], event_at: datetime, metrics: Sequence[BillableMetric]) -> dict[str, Any]:
    properties = dict(event["properties"])
    newest: dict[str, BillableMetric] = {}
    for metric in sorted(metrics, key=lambda row: row.effective_at):
        if metric.effective_at <= event_at:
            newest[metric.code] = metric
    for metric in newest.values():
        if metric.expression is None or metric.field_name is None:
            continue
        if (metric.event_code or metric.code) != event["code"]:
            continue
        formula = parse_formula(metric.expression)
        sent = {name: event["properties"].get(name) for name in formula.properties()}
        seconds = calendar.timegm(event_at.timetuple())
        try:
            properties[metric.field_name] = evaluate(formula, code=event["code"], seconds=seconds, properties=sent)
        except EvaluationError as error:
            raise ReplacementError(
                f"an event for which the expression of the metric {metric.code} has a value: {error}"
            ) from None
    return properties
