with

credit_note_items as (

    {{ known_children('credit_note_items', 'credit_notes', ['credit_note_code']) }}

)

select
    credit_note_items.organization_id,
    credit_note_items.credit_note_code,
    credit_note_items.item_position,
    credit_note_items.fee_code,
    credit_note_items.amount_cents,
    credit_note_items.batch_id
from credit_note_items
