with

alerts as (

    {{ known_records('alerts', ['alert_code']) }}

)

select
    alerts.organization_id,
    alerts.alert_code,
    alerts.alert_name,
    alerts.alert_type,
    alerts.external_subscription_id,
    alerts.wallet_code,
    alerts.billable_metric_code,
    alerts.created_at,
    alerts.terminated_at,
    alerts.position,
    alerts.batch_id,
    alerts.source_file,
    alerts.source_line
from alerts
