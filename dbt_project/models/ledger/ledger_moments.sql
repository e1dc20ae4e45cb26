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
    scheduled.known_batch_id,
    moments.base_plan_code,
    moments.purchase_order_number,
    moments.timezone,
    moments.billing_date,
    moments.finalizes_at,
    moments.invoice_group,
    moments.row_started_at,
    moments.has_previous_row,
    moments.ended_by,
    moments.next_plan_code,
    moments.next_plan_effective_at,
    moments.has_plan_fee,
    cast(moments.days_count as integer) as days_count,
    moments.full_started_at,
    moments.usage_from_date,
    moments.usage_to_date,
    cast(moments.usage_full_days_count as integer) as usage_full_days_count,
    cast(moments.usage_days_count as integer) as usage_days_count
from invoices
inner join {{ ref('int_invoices_scheduled') }} as scheduled
    on invoices.invoice_id = scheduled.invoice_id
inner join moments
    on scheduled.moment_id = moments.moment_id
