"""`meterhouse deliver`: send what the outbox holds, or send it again."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from dagster_project.command._options import chosen_warehouse, console, warehouse_option
from dagster_project.lib.close import parse_time
from dagster_project.lib.operations import open_store
from dagster_project.lib.webhooks import Gate, HttpTransport, load_endpoints
from dagster_project.lib.webhooks import deliver as deliver_due


@click.command()
@warehouse_option
@click.option("--endpoints", type=click.Path(path_type=Path), help="endpoints.yaml: who is told.")
@click.option("--limit", default=1000, show_default=True, help="Most deliveries to try.")
@click.option("--replay", "replay_id", metavar="MESSAGE_ID", help="Send one message again, under its id.")
@click.option("--replay-since", metavar="TIME", help="Send again what was queued since.")
@click.option("--replay-until", metavar="TIME", help="… and until.")
@click.option("--replay-type", metavar="TYPE", help="… of this type only.")
@click.option("--replay-dead", is_flag=True, help="Send dead letters again.")
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
    only_status: bool,
) -> None:
    """Send due webhooks; each is signed, has a stable id and is retried by schedule."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    now = datetime.now(UTC)
    with open_store(warehouse.operations_url) as store:
        configuration = endpoints or settings.endpoints
        if configuration is not None:
            store.sync_endpoints(load_endpoints(configuration), now=now)
        if not only_status:
            if replay_id or replay_since or replay_until or replay_type or replay_dead:
                count = store.replay(
                    now=now,
                    message_id=replay_id,
                    since=parse_time(replay_since, "--replay-since") if replay_since else None,
                    until=parse_time(replay_until, "--replay-until") if replay_until else None,
                    type=replay_type,
                    dead_only=replay_dead,
                )
                console.print(f"{count} deliveries are due again")
            summary = deliver_due(
                store,
                now=now,
                transport=HttpTransport(),
                gate=Gate(allow_loopback=settings.allow_loopback_webhooks),
                limit=limit,
            )
            console.print(str(summary))
        table = Table("endpoint", "state", "pending", "in flight", "delivered", "dead")
        for row in store.summary():
            state = "enabled" if row.is_enabled else f"disabled: {row.disabled_reason}"
            table.add_row(
                row.endpoint_id,
                state,
                *(
                    str(n)
                    for n in (
                        row.pending_count,
                        row.in_flight_count,
                        row.delivered_count,
                        row.dead_count,
                    )
                ),
            )
        console.print(table)
