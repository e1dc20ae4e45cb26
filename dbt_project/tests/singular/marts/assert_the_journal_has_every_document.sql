{#
  What customers owe by the journal is what invoices ask for, less voids and what credit notes set against it, and what fees
  without an invoice ask for. An advance_charges invoice asks for nothing that these do not ask for.
#}
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
        documents.organization_id,
        documents.currency,
        sum(documents.due_cents) as due_cents
    from (
        select
            invoices.organization_id,
            invoices.currency,
            invoices.due_amount_cents as due_cents
        from {{ ref('fct_invoice') }} as invoices
        where invoices.invoice_type <> 'advance_charges'

        union all

        select
            fees.organization_id,
            fees.currency,
            fees.total_amount_cents as due_cents
        from {{ ref('fct_standalone_fee') }} as fees
    ) as documents
    group by documents.organization_id, documents.currency

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
