"""Messages about committed invoices and alerts, queued for the endpoints that listen."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from dagster_project.lib.canonical_json import canonical_json, canonical_object
from dagster_project.lib.ledger import (
    IssuedInvoice,
    Row,
    issued_invoice_ids,
    issued_invoices,
    issuing_closes,
    triggered_alerts,
    void_document_ids,
)
from dagster_project.lib.operations import Document, JsonText, Message, OperationsStore, message_id
from dagster_project.lib.warehouse import Session, Warehouse

INVOICE_FINALIZED = "invoice.finalized"
INVOICE_VOIDED = "invoice.voided"
ALERT_TRIGGERED = "alert.triggered"
_CHUNK = 2000
_LINES_BYTES_MAX = 12_000
# what leaves room for the body around it (operations.PAYLOAD_BYTES_MAX), and what is left of a text where it does not
_DATA_BYTES_MAX = 18_000
_TEXT_CHARACTERS_MAX = 200


def queue_messages(warehouse: Warehouse, store: OperationsStore, *, now: datetime) -> int:
    """Queue `invoice.finalized` for every committed invoice, `invoice.voided` for every voided one; returns how many were new.

    The id of a message is made from its invoice, so queuing again changes nothing.
    """
    queued = store.message_ids(INVOICE_VOIDED)
    with warehouse.connect(read_only=True) as session:
        wanted = _untold_invoice_ids(session, store)
        wanted += [
            key
            for key in void_document_ids(session)
            if message_id(INVOICE_VOIDED, key.partition(":")[0], 2) not in queued
        ]
    documents: dict[str, list[Document]] = defaultdict(list)
    if wanted:
        for document in store.documents():
            documents[document.invoice_id].append(document)
    count = 0
    for begin in range(0, len(wanted), _CHUNK):
        with warehouse.connect(read_only=True) as session:
            chunk = issued_invoices(session, wanted[begin : begin + _CHUNK])
        count += store.enqueue([_message(invoice, documents[invoice.document_id]) for invoice in chunk], now=now)
    return count + _queue_alerts(warehouse, store, now=now)


def _untold_invoice_ids(session: Session, store: OperationsStore) -> list[str]:
    """The invoices without a message, in the order of their closes.

    Messages are queued in that order, so that a close all of whose invoices have one ends the search.
    """
    untold: list[str] = []
    for close_id in issuing_closes(session):
        ids = {message_id(INVOICE_FINALIZED, key, 1): key for key in issued_invoice_ids(session, close_id=close_id)}
        known = store.known_message_ids(list(ids))
        if len(known) == len(ids):
            break
        untold = [key for id_, key in ids.items() if id_ not in known] + untold
    return untold


def _queue_alerts(warehouse: Warehouse, store: OperationsStore, *, now: datetime) -> int:
    """Queue `alert.triggered` for every threshold of an alert that a committed close tells of."""
    queued = store.message_ids(ALERT_TRIGGERED)
    with warehouse.connect(read_only=True) as session:
        alerts = [
            alert
            for alert in triggered_alerts(session)
            if message_id(ALERT_TRIGGERED, alert["triggered_alert_id"], 1) not in queued
        ]
    return store.enqueue(map(_alert_message, alerts), now=now) if alerts else 0


def _alert_message(alert: Row) -> Message:
    triggered_at = alert["triggered_at"].replace(tzinfo=UTC)
    values = {key: _plain(alert[key]) for key in ("threshold_value", "current_value")}
    return Message(
        type=ALERT_TRIGGERED,
        organization_id=alert["organization_id"],
        object_id=alert["triggered_alert_id"],
        sequence=1,
        occurred_at=triggered_at,
        data={
            "triggered_alert": _fitting(
                {**alert, **values, "triggered_at": triggered_at.isoformat().replace("+00:00", "Z")}
            )
        },
    )


def _plain(decimal: str) -> str:
    """A decimal's text without the zeros at its end."""
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal


def _message(invoice: IssuedInvoice, documents: list[Document]) -> Message:
    if not invoice.adds_up:
        from invoice_renderer import load_invoice

        load_invoice(invoice.document)
    lines = invoice.fields["lines"]
    text = canonical_object(
        {
            **invoice.fields,
            "invoice_id": canonical_json(invoice.invoice_id),
            "organization_id": canonical_json(invoice.organization_id),
            "external_customer_id": canonical_json(invoice.external_customer_id),
            "lines_count": canonical_json(invoice.lines_count),
            # a webhook stays small: a long invoice is fetched by its document
            "lines": lines if len(lines.encode()) <= _LINES_BYTES_MAX else "null",
            "documents": canonical_json(
                [
                    {"format": document.format, "sha256": document.sha256, "bytes": document.bytes}
                    for document in documents
                ]
            ),
        }
    )
    return Message(
        type=INVOICE_FINALIZED if invoice.voided_at is None else INVOICE_VOIDED,
        organization_id=invoice.organization_id,
        object_id=invoice.invoice_id,
        sequence=1 if invoice.voided_at is None else 2,
        occurred_at=(invoice.voided_at or invoice.finalized_at).replace(tzinfo=UTC),
        data={"invoice": JsonText(text) if len(text.encode()) <= _DATA_BYTES_MAX else _fitting(json.loads(text))},
    )


def _fitting(data: Row) -> Row:
    """The same where it fits a webhook; else with long texts cut and, should that not do, without lists and parts."""
    if _size(data) <= _DATA_BYTES_MAX:
        return data
    short: Row = _cut(data)
    if _size(short) <= _DATA_BYTES_MAX:
        return short
    return {key: None if isinstance(value, list | dict) else value for key, value in short.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _TEXT_CHARACTERS_MAX:
        return f"{value[: _TEXT_CHARACTERS_MAX - 1]}…"
    return value


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
