{{ config(materialized='incremental') }}

with

taxes as (

    select taxes.*
    from {{ ref('ledger_invoice_taxes') }} as taxes
    where {{ is_new_to_mart('taxes') }}

),

invoices as (

    select * from {{ ref('fct_invoice') }}

)

select
    taxes.invoice_id,
    taxes.tax_code,
    taxes.organization_id,
    invoices.external_customer_id,
    invoices.invoice_number,
    invoices.issuing_date,
    taxes.tax_name,
    taxes.tax_rate,
    invoices.currency,
    invoices.currency_exponent,
    taxes.taxable_amount_cents,
    taxes.tax_amount_cents,
    taxes.close_id
from taxes
inner join invoices
    on
        taxes.close_id = invoices.close_id
        and taxes.invoice_id = invoices.invoice_id
