"""The operations store: what billing does to the outside world, and what came of it.

It lives beside the warehouse (a SQLite file) or in it (a schema of PostgreSQL) and holds

- the outbox of webhooks: messages, one delivery per message and endpoint, every attempt;
- the endpoints, as configured and with their health;
- the register of documents of finalised invoices with their hashes;
- the control totals of the warehouse: what it must still hold at the next close.

A message is queued in one transaction under an id made from its object, so that a close that runs
twice queues it once; `dagster_project.lib.webhooks` sends it at least once under that id.
"""

from dagster_project.lib.operations._records import (
    Attempt,
    Claim,
    CloseSeal,
    ContentTotal,
    Delivery,
    DeliveryState,
    Document,
    Endpoint,
    EndpointSummary,
    JsonText,
    LandingTotal,
    Message,
    Outcome,
    message_id,
)
from dagster_project.lib.operations._store import OperationsStore, open_store

__all__ = [
    "Attempt",
    "Claim",
    "CloseSeal",
    "ContentTotal",
    "Delivery",
    "DeliveryState",
    "Document",
    "Endpoint",
    "EndpointSummary",
    "JsonText",
    "LandingTotal",
    "Message",
    "OperationsStore",
    "Outcome",
    "message_id",
    "open_store",
]
