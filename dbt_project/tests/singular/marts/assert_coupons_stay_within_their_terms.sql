{#
  No coupon's rest is ever below nothing, and coupons never take more than the fees of their invoice. What a fixed coupon for
  once gave to invoices that are not void is at most its amount.
#}
with

invoices as (

    select * from {{ ref('fct_invoice') }}

),

taken as (

    select
        postings.posting_id,
        postings.source_id,
        postings.amount_cents,
        postings.balance_cents,
        invoices.fees_amount_cents,
        sum(case when invoices.invoice_status = 'voided' then 0 else postings.amount_cents end) over (
            partition by postings.source_id
        ) as taken_cents,
        first_value(postings.amount_cents + postings.balance_cents) over (
            partition by postings.source_id
            order by postings.close_id, invoices.finalized_at, postings.posting_id
        ) as opening_cents
    from {{ ref('fct_posting') }} as postings
    inner join invoices
        on postings.invoice_id = invoices.invoice_id
    where postings.posting_kind = 'coupon'

)

select
    taken.posting_id,
    taken.amount_cents,
    taken.balance_cents,
    taken.fees_amount_cents,
    taken.taken_cents
from taken
left join {{ ref('int_coupons_applied') }} as coupons
    on
        taken.source_id = coupons.source_id
        and coupons.coupon_type = 'fixed_amount'
        and coupons.frequency = 'once'
where
    taken.amount_cents < 0
    or taken.balance_cents < 0
    or taken.amount_cents > taken.fees_amount_cents
    or (coupons.source_id is not null and taken.taken_cents > greatest(taken.opening_cents, coupons.amount_cents))
