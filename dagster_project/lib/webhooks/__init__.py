"""Webhooks: telling the outside world what happened, signed, in order, at least once.

The operations store is the outbox; `deliver` sends what is due from it by Standard Webhooks:

    endpoints = load_endpoints(Path("endpoints.yaml"))
    store.sync_endpoints(endpoints, now=now)
    store.enqueue(messages, now=now)
    deliver(store, now=now, transport=HttpTransport(), gate=Gate())

Every message has a stable id (`webhook-id`): a receiver that remembers ids takes each once.
"""

from dagster_project.lib.webhooks._configuration import load_endpoints
from dagster_project.lib.webhooks._delivery import LEASE, DeliverySummary, deliver
from dagster_project.lib.webhooks._gate import CheckedUrl, Gate, GateRefusal, resolve
from dagster_project.lib.webhooks._schedule import FAILING_MAX, RETRY_DELAYS, retry_delay
from dagster_project.lib.webhooks._signing import signed_headers
from dagster_project.lib.webhooks._transport import Answer, HttpTransport, WebhookTransport

__all__ = [
    "FAILING_MAX",
    "LEASE",
    "RETRY_DELAYS",
    "Answer",
    "CheckedUrl",
    "DeliverySummary",
    "Gate",
    "GateRefusal",
    "HttpTransport",
    "WebhookTransport",
    "deliver",
    "load_endpoints",
    "resolve",
    "retry_delay",
    "signed_headers",
]
