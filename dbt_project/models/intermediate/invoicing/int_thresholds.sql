{# The thresholds of each billing moment's row: the subscription's own replace the plan's. #}
with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state in {{ open_states() }}

),

own_thresholds as (

    select * from {{ ref('stg_book__subscription_usage_thresholds') }}

),

plan_thresholds as (

    select * from {{ ref('stg_book__plan_usage_thresholds') }}

),

owned as (

    select
        moments.moment_id as threshold_set_id,
        own_thresholds.threshold_position,
        own_thresholds.amount_cents,
        own_thresholds.is_recurring
    from moments
    inner join own_thresholds
        on
            moments.organization_id = own_thresholds.organization_id
            and moments.external_subscription_id = own_thresholds.external_subscription_id
            and moments.subscription_created_at = own_thresholds.created_at

)

select owned.*
from owned

union all

select
    moments.moment_id as threshold_set_id,
    plan_thresholds.threshold_position,
    plan_thresholds.amount_cents,
    plan_thresholds.is_recurring
from moments
inner join plan_thresholds
    on
        moments.organization_id = plan_thresholds.organization_id
        and moments.plan_code = plan_thresholds.plan_code
        and moments.plan_effective_at = plan_thresholds.effective_at
where moments.moment_id not in (select owned.threshold_set_id from owned)
