with

custom_aggregator_steps as (

    {{ known_children('custom_aggregator_steps', 'billable_metrics', ['billable_metric_code', 'effective_at']) }}

)

select
    custom_aggregator_steps.organization_id,
    custom_aggregator_steps.billable_metric_code,
    custom_aggregator_steps.effective_at,
    custom_aggregator_steps.program,
    custom_aggregator_steps.slot,
    custom_aggregator_steps.step,
    custom_aggregator_steps.operation,
    custom_aggregator_steps.left_step,
    custom_aggregator_steps.right_step,
    custom_aggregator_steps.third_step,
    custom_aggregator_steps.number_value,
    custom_aggregator_steps.text_value,
    custom_aggregator_steps.batch_id
from custom_aggregator_steps
