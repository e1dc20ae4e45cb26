with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

postings as (

    select * from {{ ref('int_postings') }}

)

select
    invoices.close_id,
    postings.posting_id,
    postings.invoice_id,
    postings.organization_id,
    postings.posting_kind,
    postings.source_id,
    postings.amount_cents,
    postings.balance_cents
from invoices
inner join postings
    on invoices.invoice_id = postings.invoice_id
