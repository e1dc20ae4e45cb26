with

plan_usage_thresholds as (

    {{ known_children('plan_usage_thresholds', 'plans', ['plan_code', 'effective_at']) }}

)

select
    plan_usage_thresholds.organization_id,
    plan_usage_thresholds.plan_code,
    plan_usage_thresholds.effective_at,
    plan_usage_thresholds.threshold_position,
    plan_usage_thresholds.amount_cents,
    plan_usage_thresholds.is_recurring,
    plan_usage_thresholds.batch_id
from plan_usage_thresholds
