with

notes as (

    select notes.*
    from {{ ref('int_credit_notes') }} as notes
    left join {{ ref('gate_held_customers') }} as held
        on
            notes.organization_id = held.organization_id
            and notes.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('notes.close_id') }}

),

invoices as (

    select * from {{ ref('ledger_invoices') }}

),

counts as (

    select
        numbered.invoice_id,
        count(*) as notes_count
    from {{ ledger_so_far() }} as numbered
    group by numbered.invoice_id

),

numbered as (

    select
        notes.*,
        row_number() over (
            partition by notes.invoice_id
            order by notes.issued_at, notes.issue_order
        ) + coalesce(counts.notes_count, 0) as invoice_sequence
    from notes
    left join counts
        on notes.invoice_id = counts.invoice_id

)

select
    numbered.close_id,
    numbered.credit_note_id,
    numbered.organization_id,
    numbered.external_customer_id,
    numbered.invoice_id,
    invoices.invoice_number || '-CN' || {{ padded_number('numbered.invoice_sequence') }} as credit_note_number,
    numbered.request_kind,
    numbered.credit_note_code,
    numbered.reason,
    numbered.issued_at,
    numbered.issue_order,
    numbered.currency,
    numbered.items_amount_cents,
    numbered.precise_coupons_amount_cents,
    numbered.taxes_amount_cents,
    numbered.precise_taxes_amount_cents,
    numbered.credit_amount_cents,
    numbered.refund_amount_cents,
    numbered.offset_amount_cents,
    numbered.total_amount_cents
from numbered
left join invoices
    on numbered.invoice_id = invoices.invoice_id
