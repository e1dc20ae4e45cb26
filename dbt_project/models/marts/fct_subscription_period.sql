{{ config(materialized='incremental') }}

with

moments as (

    select moments.*
    from {{ ref('ledger_moments') }} as moments
    where {{ is_new_to_mart('moments') }}

),

invoices as (

    select * from {{ ref('fct_invoice') }}

),

fee_sums as (

    select
        fees.close_id,
        fees.moment_id,
        cast(
            sum(
                case when fees.fee_type = 'subscription' then fees.amount_cents else 0 end
            ) as bigint
        ) as plan_fees_amount_cents,
        cast(
            sum(case when fees.fee_type = 'charge' then fees.amount_cents else 0 end) as bigint
        ) as usage_fees_amount_cents,
        cast(sum(fees.amount_cents) as bigint) as fees_amount_cents
    from {{ ref('ledger_fees') }} as fees
    where {{ is_new_to_mart('fees') }}
    group by fees.close_id, fees.moment_id

)

select
    moments.moment_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    moments.subscription_created_at,
    moments.subscription_name,
    moments.plan_code,
    moments.reason,
    moments.invoice_id,
    invoices.invoice_number,
    moments.billing_at,
    moments.billing_date,
    moments.from_date,
    moments.to_date,
    {{ days_between('moments.from_date', 'moments.to_date') }} + 1 as days_count,
    moments.usage_from_at,
    moments.usage_to_at,
    moments.usage_from_date,
    moments.usage_to_date,
    moments.known_batch_id,
    invoices.currency,
    invoices.currency_exponent,
    coalesce(fee_sums.plan_fees_amount_cents, 0) as plan_fees_amount_cents,
    coalesce(fee_sums.usage_fees_amount_cents, 0) as usage_fees_amount_cents,
    coalesce(fee_sums.fees_amount_cents, 0) as fees_amount_cents,
    moments.close_id
from moments
inner join invoices
    on
        moments.close_id = invoices.close_id
        and moments.invoice_id = invoices.invoice_id
left join fee_sums
    on
        moments.close_id = fee_sums.close_id
        and moments.moment_id = fee_sums.moment_id
