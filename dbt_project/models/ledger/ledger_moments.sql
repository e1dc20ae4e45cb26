with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

moments as (

    select * from {{ ref('int_invoice_moments') }}

),

{# the periods of a subscription; what is invoiced on request has none #}
billing as (

    select * from {{ ref('int_billing_moments') }}

),

{# a progressive invoice bills a period that still runs: its beginning tells which #}
progressive as (

    select * from {{ ref('int_progressive_moments') }}

)

select
    invoices.close_id,
    moments.moment_id,
    invoices.invoice_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    coalesce(billing.subscription_created_at, progressive.subscription_created_at) as subscription_created_at,
    moments.subscription_name,
    moments.plan_code,
    moments.plan_effective_at,
    moments.reason,
    moments.billing_at,
    billing.from_date,
    billing.to_date,
    billing.full_from_date,
    cast(billing.full_days_count as integer) as full_days_count,
    coalesce(billing.usage_from_at, progressive.usage_from_at) as usage_from_at,
    billing.usage_to_at,
    scheduled.known_batch_id,
    moments.base_plan_code,
    moments.purchase_order_number,
    billing.timezone,
    moments.billing_date,
    moments.finalizes_at,
    moments.invoice_group,
    billing.row_started_at,
    billing.has_previous_row,
    billing.ended_by,
    billing.next_plan_code,
    billing.next_plan_effective_at,
    billing.has_plan_fee,
    cast(billing.days_count as integer) as days_count,
    billing.full_started_at,
    billing.usage_from_date,
    billing.usage_to_date,
    cast(billing.usage_full_days_count as integer) as usage_full_days_count,
    cast(billing.usage_days_count as integer) as usage_days_count,
    billing.fee_plan_code,
    billing.fee_plan_effective_at,
    billing.closed_date,
    billing.opened_date,
    billing.commitment_plan_code,
    billing.commitment_plan_effective_at,
    billing.commitment_from_date,
    billing.commitment_to_date,
    cast(billing.commitment_days_count as integer) as commitment_days_count,
    cast(billing.commitment_full_days_count as integer) as commitment_full_days_count
from invoices
inner join {{ ref('int_invoices_scheduled') }} as scheduled
    on invoices.invoice_id = scheduled.invoice_id
inner join moments
    on scheduled.moment_id = moments.moment_id
left join billing
    on moments.moment_id = billing.moment_id
left join progressive
    on moments.moment_id = progressive.moment_id
