with

billable_metric_filter_values as (

    {{ known_children('billable_metric_filter_values', 'billable_metrics', ['billable_metric_code', 'effective_at']) }}

)

select
    billable_metric_filter_values.organization_id,
    billable_metric_filter_values.billable_metric_code,
    billable_metric_filter_values.effective_at,
    billable_metric_filter_values.key_position,
    billable_metric_filter_values.filter_key,
    billable_metric_filter_values.value_position,
    billable_metric_filter_values.filter_value,
    billable_metric_filter_values.batch_id
from billable_metric_filter_values
