with

billable_metrics as (

    {{ known_records('billable_metrics', ['billable_metric_code', 'effective_at']) }}

)

select
    billable_metrics.organization_id,
    billable_metrics.billable_metric_code,
    billable_metrics.effective_at,
    billable_metrics.billable_metric_name,
    billable_metrics.event_code,
    billable_metrics.aggregation_type,
    billable_metrics.field_name,
    billable_metrics.is_recurring,
    billable_metrics.expression,
    billable_metrics.rounding_function,
    billable_metrics.rounding_precision,
    billable_metrics.weighted_interval,
    billable_metrics.custom_units_expression,
    billable_metrics.custom_amount_expression,
    billable_metrics.batch_id,
    billable_metrics.source_file,
    billable_metrics.source_line
from billable_metrics
