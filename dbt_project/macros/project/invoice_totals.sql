{#
  The totals of open invoices of one state: fees, what was posted, the sums in between (docs/billing-rules.md, Order).
  Finalised invoices, drafts and previews are the same sums over the same postings.
#}
{% macro invoice_totals(invoice_state) -%}
with

invoices as (

    select * from {{ ref('int_invoices_ordered') }}
    where invoice_state = '{{ invoice_state }}'

),

posting_sums as (

    select
        postings.invoice_id,
        {%- for kind in ['progressive_billing_credit', 'coupon', 'tax', 'credit_note', 'prepaid_credit'] %}
        cast(
            coalesce(sum(case when postings.posting_kind = '{{ kind }}' then postings.amount_cents end), 0) as bigint
        ) as {{ kind }}_amount_cents{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_postings') }} as postings
    group by postings.invoice_id

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

summed as (

    select
        invoices.*,
        posting_sums.progressive_billing_credit_amount_cents,
        posting_sums.coupon_amount_cents as coupons_amount_cents,
        posting_sums.tax_amount_cents as taxes_amount_cents,
        posting_sums.credit_note_amount_cents as credit_notes_amount_cents,
        posting_sums.prepaid_credit_amount_cents,
        invoices.fees_amount_cents
        - posting_sums.progressive_billing_credit_amount_cents
        - posting_sums.coupon_amount_cents as sub_total_excluding_taxes_amount_cents
    from invoices
    inner join posting_sums
        on invoices.invoice_id = posting_sums.invoice_id

)

select
    summed.invoice_id,
    summed.organization_id,
    summed.external_customer_id,
    summed.close_id,
    summed.known_batch_id,
    summed.invoice_type,
    {# an invoice without fees is closed silently when the organisation says so: docs/billing-rules.md, Invoice #}
    case
        when summed.invoice_state <> 'due' then summed.invoice_state
        when
            summed.invoice_type = 'subscription'
            and summed.fees_amount_cents = 0
            and not customers.is_zero_invoice_finalized
            then 'closed'
        else 'finalized'
    end as invoice_status,
    summed.billing_at,
    summed.finalizes_at,
    summed.instant_rank,
    summed.order_key,
    summed.issuing_date,
    summed.payment_due_date,
    summed.net_payment_term,
    summed.purchase_order_number,
    summed.currency,
    summed.currency_exponent,
    summed.unpriced_fees_count,
    summed.fees_amount_cents,
    summed.progressive_billing_credit_amount_cents,
    summed.coupons_amount_cents,
    summed.sub_total_excluding_taxes_amount_cents,
    summed.taxes_amount_cents,
    summed.sub_total_excluding_taxes_amount_cents + summed.taxes_amount_cents
        as sub_total_including_taxes_amount_cents,
    summed.credit_notes_amount_cents,
    summed.prepaid_credit_amount_cents,
    summed.sub_total_excluding_taxes_amount_cents
    + summed.taxes_amount_cents
    - summed.credit_notes_amount_cents
    - summed.prepaid_credit_amount_cents as total_amount_cents,
    customers.billing_entity_code,
    customers.customer_number,
    customers.document_numbering,
    customers.document_number_prefix,
    customers.seller_timezone
from summed
inner join customers
    on
        summed.organization_id = customers.organization_id
        and summed.external_customer_id = customers.external_customer_id
{%- endmacro %}
