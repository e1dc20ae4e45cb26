with

fees as (

    select * from {{ ref('int_fees_taxed') }}

),

invoices as (

    {# one row per invoice: its columns are the same on all of its moments #}
    select distinct
        scheduled.invoice_id,
        scheduled.organization_id,
        scheduled.external_customer_id,
        scheduled.close_id,
        scheduled.known_batch_id,
        scheduled.invoice_type,
        scheduled.billing_at,
        scheduled.issuing_date,
        scheduled.payment_due_date,
        scheduled.net_payment_term,
        scheduled.purchase_order_number,
        scheduled.currency,
        scheduled.currency_exponent
    from {{ ref('int_invoices_scheduled') }} as scheduled

),

fee_sums as (

    select
        fees.invoice_id,
        cast(sum(fees.amount_cents) as bigint) as fees_amount_cents,
        count(*) - count(fees.amount_cents) as unpriced_fees_count
    from fees
    group by fees.invoice_id

)

{#
  The order of settlement. Without a balance that earlier invoices use up, nothing depends on the order and every
  invoice settles in round 1; a customer with a live balance settles one invoice a round, in order of billing.
#}
select
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    invoices.close_id,
    invoices.known_batch_id,
    invoices.invoice_type,
    invoices.billing_at,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.net_payment_term,
    invoices.purchase_order_number,
    invoices.currency,
    invoices.currency_exponent,
    1 as round_no,
    coalesce(fee_sums.fees_amount_cents, 0) as fees_amount_cents,
    coalesce(fee_sums.unpriced_fees_count, 0) as unpriced_fees_count
from invoices
left join fee_sums
    on invoices.invoice_id = fee_sums.invoice_id
