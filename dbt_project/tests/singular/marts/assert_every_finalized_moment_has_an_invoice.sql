{#
  Each billing moment of a committed close that was invoiced is on an invoice of the same organisation and close, and
  each subscription invoice bills a moment.
#}
with

moments as (

    select moments.*
    from {{ ref('ledger_moments') }} as moments
    inner join {{ ref('closes') }} as closes
        on moments.close_id = closes.close_id
    where moments.invoice_id is not null

),

subscription_invoices as (

    select * from {{ ref('fct_invoice') }}
    where invoice_type = 'subscription'

)

select
    moments.moment_id,
    moments.invoice_id,
    'no invoice' as finding
from moments
left join {{ ref('fct_invoice') }} as invoices
    on
        moments.invoice_id = invoices.invoice_id
        and moments.close_id = invoices.close_id
        and moments.organization_id = invoices.organization_id
where invoices.invoice_id is null

union all

select
    moments.moment_id,
    subscription_invoices.invoice_id,
    'no moment' as finding
from subscription_invoices
left join moments
    on subscription_invoices.invoice_id = moments.invoice_id
where moments.moment_id is null
