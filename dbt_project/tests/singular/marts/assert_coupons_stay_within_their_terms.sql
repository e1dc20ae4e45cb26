{# No coupon's rest is ever below nothing, and coupons never take more than the fees of their invoice. #}
select
    postings.posting_id,
    postings.amount_cents,
    postings.balance_cents,
    invoices.fees_amount_cents
from {{ ref('fct_posting') }} as postings
inner join {{ ref('fct_invoice') }} as invoices
    on postings.invoice_id = invoices.invoice_id
where
    postings.posting_kind = 'coupon'
    and (
        postings.amount_cents < 0
        or postings.balance_cents < 0
        or postings.amount_cents > invoices.fees_amount_cents
    )
