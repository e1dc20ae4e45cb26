"""`meterhouse preview`: the invoice of a running period as it would be now."""

import click

from dagster_project.command._options import (
    chosen_warehouse,
    console,
    require_warehouse,
    warehouse_option,
)
from dagster_project.lib.exact import ALL_FILTER_VALUES
from dagster_project.lib.preview import InvoicePreview, preview_invoices
from dagster_project.lib.warehouse import warehouse_lock
from dagster_project.lib.words import amount_text, plural

_STATES = {
    "draft": "draft, waits for its grace period",
    "running": "its period still runs",
}


@click.command(short_help="Show the invoice that a subscription would get now.")
@click.argument("subscription")
@click.option("--organization", help="The organisation, where several have the subscription.")
@warehouse_option
def preview(subscription: str, organization: str | None, warehouse_location: str | None) -> None:
    """Show the invoice that a subscription would get, as of the newest close.

    Units and amounts are those so far. Coupons, credit notes and prepaid credits are applied when an invoice is
    finalised: what is open of them is shown beside the total.
    """
    _, warehouse = chosen_warehouse(warehouse_location)
    require_warehouse(warehouse)
    with warehouse_lock(warehouse, purpose="preview"), warehouse.connect(read_only=True) as session:
        found = preview_invoices(session, subscription, organization_id=organization)
    for number, invoice in enumerate(found):
        if number:
            console.print()
        _show(invoice)


def _show(preview: InvoicePreview) -> None:
    invoice = preview.invoice
    exponent = int(invoice["currency_exponent"])

    def money(cents: int | None) -> str:
        if cents is None:
            return "no amount"
        return f"{amount_text(int(cents), exponent)} {invoice['currency']}"

    console.print(
        f"invoice of {invoice['organization_id']}, customer {invoice['external_customer_id']}, as of "
        f"{invoice['as_of']:%Y-%m-%d %H:%M:%S} UTC ({_STATES[invoice['invoice_state']]})",
        markup=False,
        style="bold",
    )
    console.print(f"billed at {invoice['billing_at']:%Y-%m-%d %H:%M:%S} UTC, dated {invoice['issuing_date']}")
    for line in preview.lines:
        which = {**(line["filter_values"] or {}), **(line["group_values"] or {})}
        where = "".join(f" {key}={_value_text(value)}" for key, value in which.items())
        name = f"minimum of {line['fee_name']}" if line["fee_type"] == "true_up" else line["fee_name"]
        quantity = ""
        if line["fee_type"] in {"charge", "fixed_charge"}:
            quantity = f"{line['units'].normalize():,f} {'unit' if line['units'] == 1 else 'units'}"
        if line["fee_type"] == "charge":
            quantity += f" from {plural(line['events_count'], 'event')}"
        console.print(
            f"  {line['line_number']}  {line['subscription_name'] or line['external_subscription_id']}  "
            f"{name}{where}, {line['from_date']} to {line['to_date']}: {quantity}{', ' if quantity else ''}"
            f"{money(line['amount_cents'])}",
            markup=False,
        )
    console.print(f"fees so far {money(invoice['fees_amount_cents'])}")
    if invoice["progressive_billing_credit_amount_cents"]:
        console.print(f"already billed -{money(invoice['progressive_billing_credit_amount_cents'])}")
    console.print(f"taxes {money(invoice['taxes_amount_cents'])}")
    console.print(f"total so far {money(invoice['total_amount_cents'])}", style="bold")
    for name, column in (("credit notes", "credit_notes_balance_cents"), ("wallets", "wallets_balance_cents")):
        if invoice[column]:
            console.print(f"open in the customer's {name}: {money(invoice[column])}")


def _value_text(value: list[str] | str | None) -> str:
    """The values of a filter, or the one of a group."""
    if isinstance(value, list):
        return "any" if ALL_FILTER_VALUES in value else ",".join(value)
    return "(missing)" if value is None else value
