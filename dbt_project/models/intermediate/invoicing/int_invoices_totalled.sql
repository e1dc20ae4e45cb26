with

invoices as (

    select * from {{ ref('int_invoices_ordered') }}

),

posting_sums as (

    select
        postings.invoice_id,
        {%- for kind in ['progressive_billing_credit', 'coupon', 'tax', 'credit_note', 'prepaid_credit'] %}
            cast(
                coalesce(
                    sum(case when postings.posting_kind = '{{ kind }}' then postings.amount_cents end), 0
                ) as bigint
            )
                as {{ kind }}_amount_cents{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_postings') }} as postings
    group by postings.invoice_id

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

)

select
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    invoices.close_id,
    invoices.known_batch_id,
    invoices.invoice_type,
    {# an invoice without fees is closed silently when the organisation says so: semantics/invoice.md section 9 #}
    case
        when invoices.fees_amount_cents = 0 and not customers.is_zero_invoice_finalized then 'closed'
        else 'finalized'
    end as invoice_status,
    invoices.billing_at,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.net_payment_term,
    invoices.purchase_order_number,
    invoices.currency,
    invoices.currency_exponent,
    invoices.unpriced_fees_count,
    invoices.fees_amount_cents,
    posting_sums.progressive_billing_credit_amount_cents,
    posting_sums.coupon_amount_cents as coupons_amount_cents,
    invoices.fees_amount_cents
    - posting_sums.progressive_billing_credit_amount_cents
    - posting_sums.coupon_amount_cents as sub_total_excluding_taxes_amount_cents,
    posting_sums.tax_amount_cents as taxes_amount_cents,
    invoices.fees_amount_cents
    - posting_sums.progressive_billing_credit_amount_cents
    - posting_sums.coupon_amount_cents
    + posting_sums.tax_amount_cents as sub_total_including_taxes_amount_cents,
    posting_sums.credit_note_amount_cents as credit_notes_amount_cents,
    posting_sums.prepaid_credit_amount_cents,
    invoices.fees_amount_cents
    - posting_sums.progressive_billing_credit_amount_cents
    - posting_sums.coupon_amount_cents
    + posting_sums.tax_amount_cents
    - posting_sums.credit_note_amount_cents
    - posting_sums.prepaid_credit_amount_cents as total_amount_cents,
    customers.customer_number,
    customers.document_numbering,
    customers.document_number_prefix,
    customers.seller_timezone
from invoices
inner join posting_sums
    on invoices.invoice_id = posting_sums.invoice_id
inner join customers
    on
        invoices.organization_id = customers.organization_id
        and invoices.external_customer_id = customers.external_customer_id
