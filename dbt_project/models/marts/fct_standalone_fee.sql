with

fees as (

    select * from {{ ref('ledger_standalone_fees') }}

),

closes as (

    select * from {{ ref('closes') }}

),

invoiced as (

    select * from {{ ref('ledger_fees') }}

),

invoices as (

    select * from {{ ref('fct_invoice') }}

)

select
    fees.fee_id,
    fees.organization_id,
    fees.external_customer_id,
    fees.external_subscription_id,
    fees.subscription_created_at,
    fees.subscription_name,
    fees.plan_code,
    fees.reason,
    fees.transaction_id,
    fees.made_at,
    fees.billing_date,
    fees.fee_code,
    fees.fee_name,
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
    fees.amount_cents + fees.taxes_amount_cents as total_amount_cents,
    fees.is_regrouped_when_paid,
    invoices.invoice_id,
    invoices.invoice_number,
    fees.close_id
from fees
inner join closes
    on fees.close_id = closes.close_id
left join invoiced
    on fees.fee_id = invoiced.fee_id
left join invoices
    on
        invoiced.close_id = invoices.close_id
        and invoiced.invoice_id = invoices.invoice_id
