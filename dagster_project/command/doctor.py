"""`meterhouse doctor`: what this machine and this warehouse lack."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

import click

from dagster_project.command._options import chosen_warehouse, console, warehouse_option
from dagster_project.lib.close import lost_totals
from dagster_project.lib.errors import MeterhouseError
from dagster_project.lib.operations import open_store
from dagster_project.lib.warehouse import Warehouse, warehouse_lock
from dagster_project.lib.words import plural


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` is null when it is well."""

    subject: str
    state: str
    advice: str | None = None


@click.command(short_help="Say what this machine, the warehouse or the outbox lacks.")
@warehouse_option
def doctor(warehouse_location: str | None) -> None:
    """Check Python, native libraries, fonts, the warehouse, its lock, its ledger and the outbox."""
    _, warehouse = chosen_warehouse(warehouse_location)
    ill = 0
    for finding in (*_machine(), *_warehouse(warehouse), *_outbox(warehouse)):
        mark = "[green]ok[/green]  " if finding.advice is None else "[red]look[/red]"
        console.print(f"{mark}  {finding.subject}: ", end="")
        console.print(finding.state, markup=False)
        if finding.advice is not None:
            ill += 1
            console.print(f"      {finding.advice}", markup=False)
    if ill:
        raise SystemExit(1)


def _machine() -> Iterator[Finding]:
    version = sys.version.split()[0]
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", version, None if supported else "Use Python 3.11 to 3.13.")
    yield _scanner()
    from invoice_renderer import InvoiceRendererError, has_fast_fonts, missing_fonts

    try:
        fonts, is_fast = missing_fonts(), has_fast_fonts()
    except InvoiceRendererError as error:
        yield Finding("documents", f"cannot be made ({error})", "Run `make setup`, which installs what is missing.")
        return
    yield Finding(
        "documents",
        "can be made" if is_fast else "are made slowly: HarfBuzz's subsetter is missing",
        None if is_fast else "Install libharfbuzz-subset0 (`make setup` does).",
    )
    yield Finding(
        "fonts",
        f"missing: {'; '.join(fonts)}" if fonts else "all scripts can be printed",
        "Install them (`make setup` does)." if fonts else None,
    )


def _scanner() -> Finding:
    """Whether compiled code scans large files of JSON lines; without it landing reads them with care, and says nothing."""
    try:
        import_module("dagster_project.lib.landing.events_scanner")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            "scanner of event lines",
            f"cannot be compiled ({error}): large files of JSON lines take twice the time to land",
            "Run `make setup`, and see that numba is installed and its cache beside the code can be written.",
        )
    return Finding("scanner of event lines", "compiled")


def _warehouse(warehouse: Warehouse) -> Iterator[Finding]:
    try:
        if not warehouse.exists():
            yield Finding("warehouse", f"none at {warehouse} yet", "Run `meterhouse close --book DIR`.")
            return
        with (
            warehouse_lock(warehouse, purpose="doctor"),
            warehouse.connect(read_only=True) as session,
        ):
            raw, ledger = session.schema("raw"), session.schema("ledger")
            [(batches,)] = session.rows(f"select count(*) from {raw}.landing_batches")
            [(events,)] = session.rows(f"select count(*) from {raw}.usage_events")
            [(torn,)] = session.rows(
                f"select count(*) from {raw}.landed_files "
                "where lines_count <> landed_count + duplicates_count + conflicts_count + rejected_count"
            )
            [(marked,)] = session.rows(f"select coalesce(sum(landed_count), 0) from {raw}.landed_files")
            closes = session.rows(f"select count(*), coalesce(sum(invoices_count), 0) from {ledger}.closes")[0]
    except MeterhouseError as error:
        yield Finding("warehouse", str(warehouse), str(error))
        return
    yield Finding("warehouse", f"{warehouse}: {plural(batches, 'batch', 'batches')}, {plural(events, 'event')}")
    yield Finding("ledger", f"{plural(closes[0], 'close')}, {plural(int(closes[1]), 'invoice')}")
    ties = torn == 0 and int(marked) == events
    yield Finding(
        "control totals",
        f"{plural(int(marked), 'event')} by the files' marks, {events:,} in the table",
        None if ties else "Events are missing or doubled: restore the warehouse from a backup before closing.",
    )
    yield _outside(warehouse)


def _outside(warehouse: Warehouse) -> Finding:
    """What the operations store knows of the warehouse against what the warehouse says."""
    try:
        with (
            warehouse_lock(warehouse, purpose="doctor"),
            open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store,
        ):
            lost = lost_totals(warehouse, store)
    except MeterhouseError as error:
        return Finding("totals outside", "cannot be compared", str(error))
    if not lost:
        return Finding("totals outside", "batches and closes on record are all there")
    return Finding(
        "totals outside",
        "; ".join(lost[:3]),
        "The warehouse was truncated, damaged or restored from an old backup: restore a newer one before closing.",
    )


def _outbox(warehouse: Warehouse) -> Iterator[Finding]:
    if not warehouse.exists():
        return
    try:
        with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
            rows = store.summary()
    except MeterhouseError as error:
        yield Finding("outbox", "cannot be read", str(error))
        return
    for row in rows:
        state = f"{row.pending_count} pending, {row.delivered_count} delivered, {row.dead_count} dead"
        advice = None
        if not row.is_enabled:
            advice = f"The endpoint is disabled: {row.disabled_reason}."
        elif row.dead_count:
            advice = "Send dead letters again with `meterhouse deliver --replay-dead`."
        yield Finding(f"endpoint {row.endpoint_id}", state, advice)
    if not rows:
        yield Finding("outbox", "no endpoints configured")
