{# The thresholds that were reached: each puts the period's usage so far on an invoice, at the crossing. #}
with

crossings as (

    select * from {{ ref('int_usage_crossings') }}

),

windows as (

    select * from {{ ref('int_usage_windows') }}

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

)

select
    crossings.window_id as moment_id,
    windows.period_moment_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    moments.subscription_created_at,
    moments.plan_code,
    moments.plan_effective_at,
    moments.base_plan_code,
    moments.subscription_name,
    moments.purchase_order_number,
    'due' as moment_state,
    crossings.window_at as billing_at,
    {{ to_local_date('crossings.window_at', 'local_offsets.utc_offset_seconds') }} as billing_date,
    moments.usage_from_at,
    local_offsets.timezone,
    moments.close_id,
    moments.as_of,
    moments.known_batch_id
from crossings
inner join windows
    on crossings.window_id = windows.window_id
inner join moments
    on windows.period_moment_id = moments.moment_id
inner join customers
    on
        moments.organization_id = customers.organization_id
        and moments.external_customer_id = customers.external_customer_id
inner join local_offsets
    on
        customers.timezone_history = local_offsets.timezone_history
        and crossings.window_at >= local_offsets.valid_from_at
        and crossings.window_at < local_offsets.valid_to_at
