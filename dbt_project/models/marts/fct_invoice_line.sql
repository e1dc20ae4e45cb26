{{ config(materialized='incremental') }}

with

fees as (

    select fees.*
    from {{ ref('ledger_fees') }} as fees
    where {{ is_new_to_mart('fees') }}

),

invoices as (

    select * from {{ ref('fct_invoice') }}

),

moments as (

    select * from {{ ref('ledger_moments') }}

)

select
    fees.fee_id,
    fees.invoice_id,
    fees.organization_id,
    fees.external_customer_id,
    invoices.invoice_number,
    invoices.issuing_date,
    fees.line_number,
    fees.fee_type,
    fees.fee_code,
    fees.fee_name,
    fees.external_subscription_id,
    moments.subscription_created_at,
    moments.subscription_name,
    moments.plan_code,
    fees.moment_id,
    fees.billable_metric_code,
    fees.charge_model,
    fees.filter_values,
    fees.group_values,
    fees.from_date,
    fees.to_date,
    fees.units,
    fees.events_count,
    fees.unit_price,
    fees.currency,
    fees.currency_exponent,
    fees.amount_cents,
    fees.precise_amount_cents,
    fees.taxes_rate,
    fees.taxes_amount_cents,
    fees.close_id
from fees
inner join invoices
    on
        fees.close_id = invoices.close_id
        and fees.invoice_id = invoices.invoice_id
{# a fee without a subscription has a moment of its own, which the ledger's moments do not list #}
left join moments
    on
        fees.close_id = moments.close_id
        and fees.moment_id = moments.moment_id
