with

notes as (

    select * from {{ ref('ledger_credit_notes') }}

),

closes as (

    select * from {{ ref('closes') }}

)

select
    notes.credit_note_id,
    notes.organization_id,
    notes.external_customer_id,
    notes.invoice_id,
    notes.credit_note_number,
    notes.request_kind,
    notes.credit_note_code,
    notes.reason,
    notes.issued_at,
    notes.issue_order,
    notes.currency,
    notes.items_amount_cents,
    notes.precise_coupons_amount_cents,
    notes.taxes_amount_cents,
    notes.precise_taxes_amount_cents,
    notes.credit_amount_cents,
    notes.refund_amount_cents,
    notes.offset_amount_cents,
    notes.total_amount_cents,
    notes.close_id
from notes
inner join closes
    on notes.close_id = closes.close_id
