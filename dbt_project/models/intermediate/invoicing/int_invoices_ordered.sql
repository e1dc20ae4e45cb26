with

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

fees as (

    select
        fees.*,
        scheduled.invoice_id
    from {{ ref('int_fees') }} as fees
    inner join scheduled
        on fees.moment_id = scheduled.moment_id

),

invoices as (

    {# one row per invoice: its columns are the same on all of its moments #}
    select
        scheduled.invoice_id,
        min(scheduled.organization_id) as organization_id,
        min(scheduled.external_customer_id) as external_customer_id,
        min(scheduled.close_id) as close_id,
        min(scheduled.as_of) as as_of,
        min(scheduled.known_batch_id) as known_batch_id,
        min(scheduled.moment_state) as invoice_state,
        min(scheduled.invoice_type) as invoice_type,
        min(scheduled.billing_at) as billing_at,
        max(scheduled.finalizes_at) as finalizes_at,
        min(scheduled.instant_rank) as instant_rank,
        min(scheduled.issuing_date) as issuing_date,
        min(scheduled.payment_due_date) as payment_due_date,
        min(scheduled.net_payment_term) as net_payment_term,
        min(scheduled.purchase_order_number) as purchase_order_number,
        min(scheduled.currency) as currency,
        min(scheduled.currency_exponent) as currency_exponent,
        min({{ invoice_order_key('scheduled') }}) as order_key
    from scheduled
    group by scheduled.invoice_id

),

fee_sums as (

    select
        fees.invoice_id,
        cast(sum(fees.amount_cents) as bigint) as fees_amount_cents,
        count(*) - count(fees.amount_cents) as unpriced_fees_count
    from fees
    group by fees.invoice_id

)

{# with the order of what happens at one instant; where there is a balance, invoices are settled in this order #}
select
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    invoices.close_id,
    invoices.as_of,
    invoices.known_batch_id,
    invoices.invoice_state,
    invoices.invoice_type,
    invoices.billing_at,
    invoices.finalizes_at,
    cast(invoices.instant_rank as integer) as instant_rank,
    invoices.order_key,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.net_payment_term,
    invoices.purchase_order_number,
    invoices.currency,
    invoices.currency_exponent,
    coalesce(fee_sums.fees_amount_cents, 0) as fees_amount_cents,
    coalesce(fee_sums.unpriced_fees_count, 0) as unpriced_fees_count
from invoices
left join fee_sums
    on invoices.invoice_id = fee_sums.invoice_id
