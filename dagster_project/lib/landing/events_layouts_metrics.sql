-- One row per event code that a metric reads: the one property that all of its metrics measure, and how they aggregate.
with newest as (
    select organization_id, billable_metric_code, effective_at, max(batch_id) as batch_id
    from {{ raw }}.billable_metrics
    group by organization_id, billable_metric_code, effective_at
)

select
    metrics.organization_id,
    coalesce(metrics.event_code, metrics.billable_metric_code) as event_code,
    case when min(metrics.field_name) = max(metrics.field_name) then min(metrics.field_name) end as measured_field,
    min(case when metrics.aggregation_type in ({{ measuring }}) then 1 else 0 end) = 1 as is_measured,
    max(case when metrics.aggregation_type = 'unique_count_agg' then 1 else 0 end) = 1 as is_counted
from {{ raw }}.billable_metrics as metrics
inner join newest
    on metrics.organization_id = newest.organization_id
    and metrics.billable_metric_code = newest.billable_metric_code
    and metrics.effective_at = newest.effective_at
    and metrics.batch_id = newest.batch_id
group by metrics.organization_id, coalesce(metrics.event_code, metrics.billable_metric_code)
