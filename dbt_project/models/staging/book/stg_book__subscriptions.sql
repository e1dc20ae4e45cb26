with

subscriptions as (

    {{ known_records('subscriptions', ['external_subscription_id', 'created_at']) }}

)

select
    subscriptions.organization_id,
    subscriptions.external_subscription_id,
    subscriptions.created_at,
    subscriptions.external_customer_id,
    subscriptions.plan_code,
    subscriptions.base_plan_code,
    subscriptions.billing_time,
    subscriptions.subscription_at,
    subscriptions.ending_at,
    subscriptions.terminated_at,
    subscriptions.subscription_name,
    subscriptions.purchase_order_number,
    subscriptions.on_termination_credit_note,
    subscriptions.on_termination_invoice,
    subscriptions.position,
    subscriptions.batch_id,
    subscriptions.source_file,
    subscriptions.source_line
from subscriptions
