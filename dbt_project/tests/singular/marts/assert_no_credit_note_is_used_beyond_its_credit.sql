{# What invoices took of a credit note is at most its credit, and what a posting leaves is never below nothing. #}
with

used as (

    select
        postings.source_id as credit_note_id,
        sum(postings.amount_cents) as used_cents,
        min(postings.balance_cents) as lowest_balance_cents
    from {{ ref('fct_posting') }} as postings
    where postings.posting_kind = 'credit_note'
    group by postings.source_id

)

select
    used.credit_note_id,
    used.used_cents,
    notes.credit_amount_cents
from used
left join {{ ref('fct_credit_note') }} as notes
    on used.credit_note_id = notes.credit_note_id
where
    notes.credit_note_id is null
    or used.used_cents > notes.credit_amount_cents
    or used.lowest_balance_cents < 0
