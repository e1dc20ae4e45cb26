with

one_off_fees as (

    {{ known_children('one_off_fees', 'one_off_invoices', ['one_off_invoice_id']) }}

)

select
    one_off_fees.organization_id,
    one_off_fees.one_off_invoice_id,
    one_off_fees.fee_position,
    one_off_fees.add_on_code,
    one_off_fees.units,
    one_off_fees.unit_amount_cents,
    one_off_fees.invoice_display_name,
    one_off_fees.description,
    one_off_fees.batch_id
from one_off_fees
