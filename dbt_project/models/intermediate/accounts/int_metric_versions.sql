with

metrics as (

    select * from {{ ref('stg_book__billable_metrics') }}

),

dated as (

    select
        metrics.organization_id,
        metrics.billable_metric_code,
        metrics.billable_metric_name,
        metrics.event_code,
        metrics.aggregation_type,
        metrics.field_name,
        coalesce(metrics.is_recurring, false) as is_recurring,
        metrics.rounding_function,
        metrics.rounding_precision,
        metrics.effective_at as valid_from_at,
        coalesce(
            lead(metrics.effective_at) over (
                partition by metrics.organization_id, metrics.billable_metric_code
                order by metrics.effective_at
            ),
            {{ end_of_time() }}
        ) as valid_to_at
    from metrics

)

select * from dated
