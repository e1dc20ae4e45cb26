with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

moments as (

    select * from {{ ref('int_billing_moments') }}

)

select
    invoices.close_id,
    moments.moment_id,
    invoices.invoice_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    moments.subscription_created_at,
    moments.subscription_name,
    moments.plan_code,
    moments.plan_effective_at,
    moments.reason,
    moments.billing_at,
    moments.from_date,
    moments.to_date,
    moments.full_from_date,
    cast(moments.full_days_count as integer) as full_days_count,
    moments.usage_from_at,
    moments.usage_to_at,
    scheduled.known_batch_id
from invoices
inner join {{ ref('int_invoices_scheduled') }} as scheduled
    on invoices.invoice_id = scheduled.invoice_id
inner join moments
    on scheduled.moment_id = moments.moment_id
