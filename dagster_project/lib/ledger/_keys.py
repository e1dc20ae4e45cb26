"""What committed closes finalised, voided and told of: ids of invoices and of their documents, and alerts."""

from typing import Any

from dagster_project.lib.warehouse import Session, tables_of

_TRIGGERED_ALERT = (
    "triggered_alert_id",
    "organization_id",
    "external_customer_id",
    "alert_code",
    "alert_name",
    "alert_type",
    "external_subscription_id",
    "wallet_code",
    "billable_metric_code",
    "threshold_code",
    "threshold_value",
    "is_recurring",
    "current_value",
    "triggered_at",
)
VOID = ":void"
"""What the id of a document ends in that says of an invoice that it is void."""

Row = dict[str, Any]


def issued_invoice_ids(session: Session, *, close_id: int | None = None) -> list[str]:
    """The ids of all committed invoices with a number, or of those of one close, in order of close, organisation and number."""
    ledger = session.schema("ledger")
    if "ledger_invoices" not in tables_of(session, ledger):
        return []
    of_close = "" if close_id is None else f"and i.close_id = {int(close_id)} "
    return [
        invoice_id
        for (invoice_id,) in session.rows(
            f"select i.invoice_id from {ledger}.ledger_invoices i "
            f"inner join {ledger}.closes c on c.close_id = i.close_id "
            f"where i.invoice_number is not null {of_close}"
            "order by i.close_id, i.organization_id, i.organization_sequence"
        )
    ]


def issuing_closes(session: Session) -> list[int]:
    """The committed closes that issued an invoice with a number, the newest first."""
    ledger = session.schema("ledger")
    if "ledger_invoices" not in tables_of(session, ledger):
        return []
    return [
        close_id
        for (close_id,) in session.rows(
            f"select distinct i.close_id from {ledger}.ledger_invoices i "
            f"inner join {ledger}.closes c on c.close_id = i.close_id where i.invoice_number is not null order by 1 desc"
        )
    ]


def void_document_ids(session: Session, *, close_id: int | None = None) -> list[str]:
    """The ids of the documents that say of an invoice that it is void, of all closes or of one, in order of close and time."""
    ledger = session.schema("ledger")
    if "ledger_invoice_voids" not in tables_of(session, ledger):
        return []
    of_close = "" if close_id is None else f"where v.close_id = {int(close_id)} "
    return [
        f"{invoice_id}{VOID}"
        for (invoice_id,) in session.rows(
            f"select v.invoice_id from {ledger}.ledger_invoice_voids v "
            f"inner join {ledger}.closes c on c.close_id = v.close_id {of_close}"
            "order by v.close_id, v.voided_at, v.invoice_id"
        )
    ]


def triggered_alerts(session: Session) -> list[Row]:
    """The thresholds of alerts that committed closes tell of, in order of close; values are exact text."""
    ledger = session.schema("ledger")
    if "ledger_triggered_alerts" not in tables_of(session, ledger):
        return []
    columns = ", ".join(
        f"cast(a.{column} as varchar)" if column.endswith("_value") else f"a.{column}" for column in _TRIGGERED_ALERT
    )
    return [
        dict(zip(_TRIGGERED_ALERT, row, strict=True))
        for row in session.rows(
            f"select {columns} from {ledger}.ledger_triggered_alerts a "
            f"inner join {ledger}.closes c on c.close_id = a.close_id "
            "order by a.close_id, a.triggered_alert_id"
        )
    ]


def find_invoice(session: Session, number: str) -> list[str]:
    """The ids of the committed invoices with a number (several organisations may use the same)."""
    ledger = session.schema("ledger")
    if "ledger_invoices" not in tables_of(session, ledger):
        return []
    return [
        invoice_id
        for (invoice_id,) in session.rows(
            f"select i.invoice_id from {ledger}.ledger_invoices i "
            f"inner join {ledger}.closes c on c.close_id = i.close_id where i.invoice_number = ? order by 1",
            [number],
        )
    ]
