with

subscription_usage_thresholds as (

    {{ known_children('subscription_usage_thresholds', 'subscriptions', ['external_subscription_id', 'created_at']) }}

)

select
    subscription_usage_thresholds.organization_id,
    subscription_usage_thresholds.external_subscription_id,
    subscription_usage_thresholds.created_at,
    subscription_usage_thresholds.threshold_position,
    subscription_usage_thresholds.amount_cents,
    subscription_usage_thresholds.is_recurring,
    subscription_usage_thresholds.batch_id
from subscription_usage_thresholds
