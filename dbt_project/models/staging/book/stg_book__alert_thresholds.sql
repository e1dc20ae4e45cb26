with

alert_thresholds as (

    {{ known_children('alert_thresholds', 'alerts', ['alert_code']) }}

)

select
    alert_thresholds.organization_id,
    alert_thresholds.alert_code,
    alert_thresholds.threshold_position,
    alert_thresholds.threshold_code,
    alert_thresholds.threshold_value,
    alert_thresholds.is_recurring,
    alert_thresholds.batch_id
from alert_thresholds
