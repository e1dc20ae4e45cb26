"""`meterhouse deliver`: send what the outbox holds, or send it again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import (
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.close import parse_time
from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import EndpointSummary, open_store
from dagster_project.lib.webhooks import DeliverySummary, Gate, HttpTransport, load_endpoints
from dagster_project.lib.webhooks import deliver as deliver_due


@click.command(short_help="Send the webhooks that are due, or send them again.")
@warehouse_option
@click.option("--endpoints", type=click.Path(path_type=Path), help="endpoints.yaml: who is told.")
@click.option("--limit", default=1000, show_default=True, help="Most deliveries to try.")
@click.option("--replay", "replay_id", metavar="MESSAGE_ID", help="Send one message again, under its id.")
@click.option("--replay-since", metavar="TIME", help="Send again what was queued since.")
@click.option("--replay-until", metavar="TIME", help="… and until.")
@click.option("--replay-type", metavar="TYPE", help="… of this type only.")
@click.option("--replay-dead", is_flag=True, help="Send dead letters again.")
@click.option(
    "--replay-to",
    metavar="ENDPOINT",
    help="… to this endpoint only, which also gets what was queued before it was added.",
)
@click.option("--enable", "enabled_id", metavar="ENDPOINT", help="Switch an endpoint on that was disabled.")
@click.option("--status", "only_status", is_flag=True, help="Show the state of the outbox and send nothing.")
def deliver(
    warehouse_location: str | None,
    endpoints: Path | None,
    limit: int,
    replay_id: str | None,
    replay_since: str | None,
    replay_until: str | None,
    replay_type: str | None,
    replay_dead: bool,
    replay_to: str | None,
    enabled_id: str | None,
    only_status: bool,
) -> None:
    """Send due webhooks; each is signed, has a stable id and is retried by schedule."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    require_warehouse(warehouse)
    now = datetime.now(UTC)
    summary = DeliverySummary()
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        configuration = endpoints or settings.endpoints
        if configuration is not None:
            store.sync_endpoints(load_endpoints(configuration), now=now)
        if enabled_id is not None:
            store.enable_endpoint(enabled_id, now=now)
        if not only_status:
            if replay_id or replay_since or replay_until or replay_type or replay_dead or replay_to:
                count = store.replay(
                    now=now,
                    message_id=replay_id,
                    since=parse_time(replay_since, "--replay-since") if replay_since else None,
                    until=parse_time(replay_until, "--replay-until") if replay_until else None,
                    type=replay_type,
                    endpoint_id=replay_to,
                    dead_only=replay_dead,
                )
                if replay_id and not count:
                    raise InputError(
                        f"No endpoint has been sent a message {replay_id}, or it is being sent right now. "
                        "Name the endpoint (--replay-to) if it was added after the message was queued."
                    )
                console.print(f"{count} {'delivery is' if count == 1 else 'deliveries are'} due again")
            summary = deliver_due(
                store,
                now=now,
                transport=HttpTransport(),
                gate=Gate(allow_loopback=settings.allow_loopback_webhooks),
                limit=limit,
            )
            console.print(_sentence(summary))
        _show(store.summary())
    if summary.dead_count or summary.disabled_endpoint_ids:
        raise SystemExit(1)


def _sentence(summary: DeliverySummary) -> str:
    if not summary.attempts_count:
        return "Nothing is due."
    parts = [f"{summary.attempts_count} tried", f"{summary.delivered_count} delivered"]
    if summary.retried_count:
        parts.append(f"{summary.retried_count} to be tried again")
    if summary.dead_count:
        parts.append(f"{summary.dead_count} given up (dead letters: --replay-dead sends them again)")
    if summary.disabled_endpoint_ids:
        parts.append(f"switched off: {', '.join(summary.disabled_endpoint_ids)} (--enable switches on again)")
    return ", ".join(parts)


def _show(endpoints: Sequence[EndpointSummary]) -> None:
    if not endpoints:
        console.print("No endpoint is configured: list them in a file and name it by --endpoints (docs/webhooks.md).")
        return
    table = Table("endpoint", "state", "pending", "in flight", "delivered", "dead")
    for row in endpoints:
        state = "enabled" if row.is_enabled else f"disabled: {row.disabled_reason}"
        counts = (row.pending_count, row.in_flight_count, row.delivered_count, row.dead_count)
        table.add_row(row.endpoint_id, state, *map(str, counts))
    console.print(table)
