{# Each amount between an invoice's fees and its total is the sum of its postings of that kind. #}
with

posting_sums as (

    select
        postings.invoice_id,
        sum(postings.signed_amount_cents) as signed_amount_cents,
        sum(
            case
                when postings.posting_kind = 'progressive_billing_credit' then postings.amount_cents
                else 0
            end
        ) as progressive_billing_credit_amount_cents,
        sum(
            case when postings.posting_kind = 'coupon' then postings.amount_cents else 0 end
        ) as coupon_amount_cents,
        sum(
            case when postings.posting_kind = 'tax' then postings.amount_cents else 0 end
        ) as tax_amount_cents,
        sum(
            case when postings.posting_kind = 'credit_note' then postings.amount_cents else 0 end
        ) as credit_note_amount_cents,
        sum(
            case when postings.posting_kind = 'prepaid_credit' then postings.amount_cents else 0 end
        ) as prepaid_credit_amount_cents
    from {{ ref('fct_posting') }} as postings
    group by postings.invoice_id

)

select
    invoices.invoice_id,
    invoices.fees_amount_cents,
    invoices.total_amount_cents,
    posting_sums.signed_amount_cents
from {{ ref('fct_invoice') }} as invoices
left join posting_sums
    on invoices.invoice_id = posting_sums.invoice_id
where
    posting_sums.invoice_id is null
    or invoices.fees_amount_cents + posting_sums.signed_amount_cents <> invoices.total_amount_cents
    or invoices.progressive_billing_credit_amount_cents
    <> posting_sums.progressive_billing_credit_amount_cents
    or invoices.coupons_amount_cents <> posting_sums.coupon_amount_cents
    or invoices.taxes_amount_cents <> posting_sums.tax_amount_cents
    or invoices.credit_notes_amount_cents <> posting_sums.credit_note_amount_cents
    or invoices.prepaid_credit_amount_cents <> posting_sums.prepaid_credit_amount_cents
