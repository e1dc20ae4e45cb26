with

triggered as (

    select triggered.*
    from {{ ref('int_alerts_triggered') }} as triggered
    left join {{ ref('gate_held_customers') }} as held
        on
            triggered.organization_id = held.organization_id
            and triggered.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('triggered.close_id') }}

)

select
    triggered.close_id,
    triggered.triggered_alert_id,
    triggered.organization_id,
    triggered.external_customer_id,
    triggered.alert_code,
    triggered.alert_name,
    triggered.alert_type,
    triggered.external_subscription_id,
    triggered.wallet_code,
    triggered.billable_metric_code,
    triggered.alert_period,
    triggered.threshold_code,
    triggered.threshold_value,
    triggered.is_recurring,
    triggered.recurring_level,
    triggered.current_value,
    triggered.triggered_at
from triggered
