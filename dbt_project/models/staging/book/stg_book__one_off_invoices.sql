with

one_off_invoices as (

    {{ known_records('one_off_invoices', ['one_off_invoice_id']) }}

)

select
    one_off_invoices.organization_id,
    one_off_invoices.one_off_invoice_id,
    one_off_invoices.external_customer_id,
    one_off_invoices.created_at,
    one_off_invoices.currency,
    one_off_invoices.position,
    one_off_invoices.batch_id,
    one_off_invoices.source_file,
    one_off_invoices.source_line
from one_off_invoices
