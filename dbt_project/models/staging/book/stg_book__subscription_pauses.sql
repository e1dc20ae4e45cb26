with

subscription_pauses as (

    {{ known_children('subscription_pauses', 'subscriptions', ['external_subscription_id', 'created_at']) }}

)

select
    subscription_pauses.organization_id,
    subscription_pauses.external_subscription_id,
    subscription_pauses.created_at,
    subscription_pauses.paused_from_at,
    subscription_pauses.paused_to_at,
    subscription_pauses.batch_id
from subscription_pauses
