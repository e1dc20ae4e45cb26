"""Delivering what is due: claim, sign, send, record, one message at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagster_project.lib.errors import MeterhouseError
from dagster_project.lib.operations import Claim, DeliveryState, OperationsStore, Outcome
from dagster_project.lib.webhooks._gate import Gate
from dagster_project.lib.webhooks._schedule import FAILING_MAX, retry_after, retry_delay
from dagster_project.lib.webhooks._signing import signed_headers
from dagster_project.lib.webhooks._transport import Answer, WebhookTransport

#: How long a worker may keep a claim. Many times the time limit of one exchange.
LEASE = timedelta(minutes=5)

_SILENT_MAX = 3
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySummary:
    """What one run did: attempts made, and what came of them.

    `retried_count` failed and will be tried again; `dead_count` failed for the last time;
    `disabled_endpoint_ids` were switched off.
    """

    attempts_count: int = 0
    delivered_count: int = 0
    retried_count: int = 0
    dead_count: int = 0
    disabled_endpoint_ids: tuple[str, ...] = ()


def deliver(
    store: OperationsStore,
    *,
    now: datetime,
    transport: WebhookTransport,
    gate: Gate,
    clock: Callable[[], datetime] | None = None,
    limit: int | None = None,
) -> DeliverySummary:
    """Send every delivery that is due by `now` (at most `limit`) and record what came of each.

    At least once, under a stable id: the claim is committed before the message is sent and the
    outcome after it, so that a worker killed between the two leaves a delivery that falls due
    again. Any number of workers may run at once; each delivery is claimed by one of them. Without
    a `clock` time runs on from `now`. An endpoint that gives no answer three times in a row is
    left to the next run, so that it can not hold up the others.
    """
    clock = clock or _running_from(now)
    outcomes: list[Outcome] = []
    disabled: list[str] = []
    for endpoint_id in store.due_endpoints(now=now):
        silent_count = 0
        while silent_count < _SILENT_MAX and (limit is None or len(outcomes) < limit):
            claim = store.claim(endpoint_id, due_by=now, now=clock(), lease=LEASE)
            if claim is None:
                break
            answer = _send(claim, gate=gate, transport=transport, now=clock())
            finished_at = clock()
            outcome = decide(claim, answer, now=finished_at)
            if store.record(claim, outcome, now=finished_at):
                disabled.append(endpoint_id)
            outcomes.append(outcome)
            silent_count = silent_count + 1 if answer.status_code is None else 0
    states = [outcome.state for outcome in outcomes]
    return DeliverySummary(
        attempts_count=len(states),
        delivered_count=states.count(DeliveryState.DELIVERED),
        retried_count=states.count(DeliveryState.PENDING),
        dead_count=states.count(DeliveryState.DEAD),
        disabled_endpoint_ids=tuple(disabled),
    )


def _running_from(now: datetime) -> Callable[[], datetime]:
    started_ns = time.monotonic_ns()
    return lambda: now + timedelta(microseconds=(time.monotonic_ns() - started_ns) // 1_000)


def _send(claim: Claim, *, gate: Gate, transport: WebhookTransport, now: datetime) -> Answer:
    body = claim.payload.encode()
    try:
        headers = signed_headers(claim.message_id, body, secrets=claim.endpoint.secrets, now=now)
        url = gate.check(claim.endpoint.url)
    except MeterhouseError as refusal:
        return Answer(error=str(refusal))
    return transport.post(
        url,
        headers={
            **headers,
            "content-type": "application/json",
            "user-agent": "Meterhouse-Webhooks/1",
        },
        body=body,
    )


def decide(claim: Claim, answer: Answer, *, now: datetime) -> Outcome:
    """Return what an answer means: 2xx is delivered, everything else is a failure.

    410 ends the delivery and disables the endpoint. Any other failure is tried again by the
    schedule, not before the moment of a Retry-After header, which holds back the whole endpoint;
    after the last try the delivery is dead. An endpoint that has failed for five days is disabled.
    """
    status_code = answer.status_code
    state = DeliveryState.DEAD
    next_attempt_at = paused_until = disabled_reason = None
    if status_code is not None and 200 <= status_code < 300:
        state = DeliveryState.DELIVERED
    elif status_code == _GONE:
        disabled_reason = "gone"
    else:
        paused_until = retry_after(answer.retry_after, now=now)
        delay = retry_delay(claim.message_id, claim.try_number + 1)
        if delay is not None:
            state = DeliveryState.PENDING
            next_attempt_at = max(now + delay, paused_until or now)
        if now - (claim.endpoint_first_failed_at or now) >= FAILING_MAX:
            disabled_reason = "failing"
    return Outcome(
        state=state,
        next_attempt_at=next_attempt_at,
        paused_until=paused_until,
        disabled_reason=disabled_reason,
        status_code=status_code,
        duration_ms=answer.duration_ms,
        # PostgreSQL keeps no NUL in a text.
        answer=answer.body.decode(errors="replace").replace("\0", "\ufffd"),
        error=answer.error,
    )
