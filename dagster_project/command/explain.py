"""`meterhouse explain`: from a line of an invoice to its price and its events."""

import click

from dagster_project.command._options import (
    amount_text,
    chosen_warehouse,
    console,
    warehouse_option,
)
from dagster_project.lib.errors import InputError
from dagster_project.lib.explain import InvoiceExplanation, explain_invoice
from dagster_project.lib.warehouse import warehouse_lock


@click.command()
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
    """Show how each amount of an invoice came about, and compute it again from the events."""
    _, warehouse = chosen_warehouse(warehouse_location)
    if not warehouse.exists():
        raise InputError(f"There is no warehouse at {warehouse}.")
    with warehouse_lock(warehouse, purpose="explain"), warehouse.connect(read_only=True) as session:
        explanation = explain_invoice(
            session,
            invoice_number,
            line=line,
            organization_id=organization,
            events_shown=events_shown,
        )
    _show(explanation, whole=line is None)
    if not all(explained.agrees for explained in explanation.lines):
        raise SystemExit(1)


def _show(explanation: InvoiceExplanation, *, whole: bool) -> None:
    invoice = explanation.invoice
    exponent = int(invoice["currency_exponent"])

    def money(cents: int) -> str:
        return f"{amount_text(int(cents), exponent)} {invoice['currency']}"

    console.print(
        f"[bold]{invoice['invoice_number']}[/bold] of {invoice['organization_id']}, customer "
        f"{invoice['external_customer_id']}, issued {invoice['issuing_date']}"
    )
    for explained in explanation.lines:
        fee = explained.fee
        console.print(f"\n[bold]line {explained.line_number}[/bold] {fee['fee_name']}: {money(fee['amount_cents'])}")
        for sentence in explained.sentences:
            console.print(f"  {sentence}", markup=False)
        verdict = "agrees" if explained.agrees else "DIFFERS"
        console.print(f"  computed again: {money(explained.recomputed_cents)} ({verdict})")
        for event in explained.events:
            console.print(
                f"    {event.event_at} {event.transaction_id} quantity {event.quantity} "
                f"({event.file_path}:{event.line_number})",
                markup=False,
            )
        if explained.events_total > len(explained.events):
            console.print(f"    and {explained.events_total - len(explained.events):,} more events")
    if whole:
        console.print(f"\nfees {money(invoice['fees_amount_cents'])}")
        for tax in explanation.taxes:
            console.print(
                f"  {tax['tax_name']} {tax['tax_rate'].normalize():f} % of {money(tax['taxable_amount_cents'])}: "
                f"{money(tax['tax_amount_cents'])}"
            )
        console.print(f"taxes {money(invoice['taxes_amount_cents'])}")
        console.print(f"[bold]total {money(invoice['total_amount_cents'])}[/bold]")
