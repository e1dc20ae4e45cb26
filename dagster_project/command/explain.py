"""`meterhouse explain`: from a line of an invoice to its price and its events."""

import click

from dagster_project.command._options import (
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.explain import InvoiceExplanation, LineExplanation, explain_invoice
from dagster_project.lib.warehouse import warehouse_lock
from dagster_project.lib.words import amount_text, plural


@click.command(short_help="Show how the amounts of an invoice came about.")
@click.argument("invoice_number")
@click.option("--line", type=int, help="Only this line.")
@click.option("--organization", help="The organisation, where several have the number.")
@click.option("--events", "events_shown", default=10, show_default=True, help="Events shown for a line.")
@warehouse_option
def explain(
    invoice_number: str,
    line: int | None,
    organization: str | None,
    events_shown: int,
    warehouse_location: str | None,
) -> None:
    """Show how each amount of an invoice came about, and compute it again from the events.

    Ends with exit code 1 when anything that is computed again differs from the invoice.
    """
    _, warehouse = chosen_warehouse(warehouse_location)
    require_warehouse(warehouse)
    with warehouse_lock(warehouse, purpose="explain"), warehouse.connect(read_only=True) as session:
        explanation = explain_invoice(
            session,
            invoice_number,
            line=line,
            organization_id=organization,
            events_shown=events_shown,
        )
    _show(explanation, whole=line is None)
    if not explanation.agrees:
        raise SystemExit(1)


def _show(explanation: InvoiceExplanation, *, whole: bool) -> None:
    invoice = explanation.invoice
    exponent = int(invoice["currency_exponent"])

    def money(cents: int) -> str:
        return f"{amount_text(int(cents), exponent)} {invoice['currency']}"

    kind = invoice["invoice_type"].replace("_", " ")
    console.print(
        f"{invoice['invoice_number']} ({kind}) of {invoice['organization_id']}, customer "
        f"{invoice['external_customer_id']}, issued {invoice['issuing_date']}",
        markup=False,
        style="bold",
    )
    for explained in explanation.lines:
        fee = explained.fee
        console.print(
            f"\nline {explained.line_number}  {fee['fee_name']}: {money(fee['amount_cents'])}",
            markup=False,
            style="bold",
        )
        for sentence in explained.sentences:
            console.print(f"  {sentence}", markup=False)
        _show_verdict(explained, money(explained.recomputed_cents or 0))
        _show_events(explained)
    if not whole:
        return
    console.print(f"\nfees {money(invoice['fees_amount_cents'])}")
    for posting in explanation.postings:
        verdict = "" if posting.agrees else f" (DIFFERS: computed again {money(posting.recomputed_cents or 0)})"
        style = "bold" if posting.kind == "total" else None
        console.print(f"{posting.title} {money(posting.amount_cents)}{verdict}", markup=False, style=style)
        for sentence in posting.sentences:
            console.print(f"  {sentence}", markup=False)


def _show_verdict(explained: LineExplanation, recomputed: str) -> None:
    if explained.open_point is not None:
        console.print(f"  not computed again, as the rules leave this open: {explained.open_point}", markup=False)
        return
    verdict = "agrees" if explained.agrees else "DIFFERS"
    units = explained.recomputed_units
    if units is not None and units != explained.fee["units"]:
        recomputed += f" for {units} units in place of {explained.fee['units'].normalize():,f}"
    console.print(f"  computed again: {recomputed} ({verdict})", markup=False)


def _show_events(explained: LineExplanation) -> None:
    for event in explained.events:
        place = f"{event.file_path}:{event.line_number}" if event.file_path else "no file"
        console.print(f"    {event.event_at} UTC  {event.transaction_id}  {event.value}  ({place})", markup=False)
    if explained.events_total > len(explained.events):
        console.print(f"    and {plural(explained.events_total - len(explained.events), 'more event')}")
