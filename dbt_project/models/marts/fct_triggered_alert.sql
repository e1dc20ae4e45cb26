with

triggered as (

    select * from {{ ref('ledger_triggered_alerts') }}

),

closes as (

    select * from {{ ref('closes') }}

)

select
    triggered.triggered_alert_id,
    triggered.organization_id,
    triggered.external_customer_id,
    triggered.alert_code,
    triggered.alert_name,
    triggered.alert_type,
    triggered.external_subscription_id,
    triggered.wallet_code,
    triggered.billable_metric_code,
    triggered.threshold_code,
    triggered.threshold_value,
    triggered.is_recurring,
    triggered.recurring_level,
    triggered.current_value,
    triggered.triggered_at,
    triggered.close_id
from triggered
inner join closes
    on triggered.close_id = closes.close_id
