-- The expressions of metrics, newest landed version of each, with the span of event times for which they are in force.
select organization_id, code, billable_metric_code, field_name, expression, effective_at, valid_to_at
from (
    select
        metrics.organization_id,
        coalesce(metrics.event_code, metrics.billable_metric_code) as code,
        metrics.billable_metric_code,
        metrics.field_name,
        metrics.expression,
        metrics.effective_at,
        lead(metrics.effective_at) over (
            partition by metrics.organization_id, metrics.billable_metric_code order by metrics.effective_at
        ) as valid_to_at
    from {{ raw }}.billable_metrics as metrics
    inner join (
        select organization_id, billable_metric_code, effective_at, max(batch_id) as batch_id
        from {{ raw }}.billable_metrics
        group by organization_id, billable_metric_code, effective_at
    ) as newest
        on metrics.organization_id = newest.organization_id
        and metrics.billable_metric_code = newest.billable_metric_code
        and metrics.effective_at = newest.effective_at
        and metrics.batch_id = newest.batch_id
) as versions
where expression is not null and field_name is not null
order by organization_id, billable_metric_code, effective_at
