{# What customers owe by the journal is what invoices ask for, less voids and what credit notes set against it. #}
with

booked as (

    select
        entries.organization_id,
        entries.currency,
        sum(entries.debit_cents - entries.credit_cents) as receivable_cents
    from {{ ref('fct_journal_entry') }} as entries
    where entries.account = 'receivables'
    group by entries.organization_id, entries.currency

),

asked as (

    select
        invoices.organization_id,
        invoices.currency,
        sum(invoices.due_amount_cents) as due_cents
    from {{ ref('fct_invoice') }} as invoices
    group by invoices.organization_id, invoices.currency

)

select
    asked.organization_id,
    asked.currency,
    asked.due_cents,
    booked.receivable_cents
from asked
left join booked
    on
        asked.organization_id = booked.organization_id
        and asked.currency = booked.currency
where asked.due_cents <> coalesce(booked.receivable_cents, 0)
