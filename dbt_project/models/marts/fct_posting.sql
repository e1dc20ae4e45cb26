{{ config(materialized='incremental') }}

with

postings as (

    select postings.*
    from {{ ref('ledger_postings') }} as postings
    where {{ is_new_to_mart('postings') }}

),

invoices as (

    select * from {{ ref('fct_invoice') }}

)

select
    postings.posting_id,
    postings.invoice_id,
    postings.organization_id,
    invoices.external_customer_id,
    invoices.invoice_number,
    invoices.finalized_at,
    postings.posting_kind,
    postings.source_id,
    invoices.currency,
    invoices.currency_exponent,
    postings.amount_cents,
    case
        when postings.posting_kind = 'tax' then postings.amount_cents
        else -postings.amount_cents
    end as signed_amount_cents,
    postings.balance_cents,
    postings.close_id
from postings
inner join invoices
    on
        postings.close_id = invoices.close_id
        and postings.invoice_id = invoices.invoice_id
