with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

taxes as (

    select * from {{ ref('int_invoices_taxed') }}

)

select
    invoices.close_id,
    taxes.invoice_id,
    invoices.organization_id,
    taxes.tax_code,
    taxes.tax_name,
    taxes.tax_rate,
    taxes.taxable_amount_cents,
    taxes.tax_amount_cents
from invoices
inner join taxes
    on invoices.invoice_id = taxes.invoice_id
