with

one_off_fee_taxes as (

    {{ known_children('one_off_fee_taxes', 'one_off_invoices', ['one_off_invoice_id']) }}

)

select
    one_off_fee_taxes.organization_id,
    one_off_fee_taxes.one_off_invoice_id,
    one_off_fee_taxes.fee_position,
    one_off_fee_taxes.position,
    one_off_fee_taxes.tax_code,
    one_off_fee_taxes.batch_id
from one_off_fee_taxes
