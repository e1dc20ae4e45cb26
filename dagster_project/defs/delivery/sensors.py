"""Sending the outbox: a job that delivers what is due, and the sensor that starts it."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import open_warehouse
from dagster_project.lib.webhooks import Gate, HttpTransport, deliver, load_endpoints
from dagster_project.settings import load_settings


@dg.op
def send_due_webhooks(context: dg.OpExecutionContext) -> None:
    """Send what is due; every message keeps its id over all tries."""
    settings = load_settings()
    now = datetime.now(UTC)
    warehouse = open_warehouse(settings.warehouse)
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        if settings.endpoints is not None:
            store.sync_endpoints(load_endpoints(settings.endpoints), now=now)
        summary = deliver(
            store,
            now=now,
            transport=HttpTransport(),
            gate=Gate(allow_loopback=settings.allow_loopback_webhooks),
        )
    context.log.info(str(summary))


@dg.job
def deliver_webhooks() -> None:
    """Send due webhooks of the outbox, signed by Standard Webhooks."""
    send_due_webhooks()


@dg.sensor(job=deliver_webhooks, minimum_interval_seconds=30)
def on_due_deliveries(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a delivery when a message is due for an endpoint that works."""
    warehouse = open_warehouse(load_settings().warehouse)
    if not warehouse.exists():
        return dg.SkipReason("There is no warehouse yet.")
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        due = store.due_endpoints(now=datetime.now(UTC))
    if not due:
        return dg.SkipReason("Nothing is due.")
    return dg.RunRequest(tags={"meterhouse/endpoints": ",".join(due)[:250]})
