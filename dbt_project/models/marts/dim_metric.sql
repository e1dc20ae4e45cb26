with

metric_versions as (

    select * from {{ ref('int_metric_versions') }}

),

metrics as (

    select * from {{ ref('stg_book__billable_metrics') }}

)

select
    metric_versions.organization_id,
    metric_versions.billable_metric_code,
    metric_versions.valid_from_at as effective_at,
    cast(
        row_number() over (
            partition by metric_versions.organization_id, metric_versions.billable_metric_code
            order by metric_versions.valid_from_at
        ) as integer
    ) as version_number,
    metric_versions.billable_metric_name,
    metric_versions.event_code,
    metric_versions.aggregation_type,
    metric_versions.field_name,
    metrics.expression,
    metrics.is_recurring,
    metric_versions.rounding_function,
    metric_versions.rounding_precision,
    metrics.weighted_interval,
    metric_versions.valid_from_at,
    metric_versions.valid_to_at,
    metric_versions.valid_to_at = {{ end_of_time() }} as is_current
from metric_versions
inner join metrics
    on
        metric_versions.organization_id = metrics.organization_id
        and metric_versions.billable_metric_code = metrics.billable_metric_code
        and metric_versions.valid_from_at = metrics.effective_at
