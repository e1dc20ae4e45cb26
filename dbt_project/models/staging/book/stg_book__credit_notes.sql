with

credit_notes as (

    {{ known_records('credit_notes', ['credit_note_code']) }}

)

select
    credit_notes.organization_id,
    credit_notes.credit_note_code,
    credit_notes.created_at,
    credit_notes.credit_amount_cents,
    credit_notes.refund_amount_cents,
    credit_notes.offset_amount_cents,
    credit_notes.reason,
    credit_notes.match_external_subscription_id,
    credit_notes.match_external_customer_id,
    credit_notes.match_issuing_date,
    credit_notes.match_invoice_type,
    credit_notes.match_nth,
    credit_notes.position,
    credit_notes.batch_id,
    credit_notes.source_file,
    credit_notes.source_line
from credit_notes
