-- The properties of an event code that filters and groups of charges ask for: of any version of a plan, as it was landed last.
with newest as (
    select organization_id, plan_code, effective_at, max(batch_id) as batch_id
    from {{ raw }}.plans
    group by organization_id, plan_code, effective_at
),
named as (
    select organization_id, plan_code, effective_at, charge_code, batch_id, filter_key as facet_key
    from {{ raw }}.charge_filter_values
    union
    select organization_id, plan_code, effective_at, charge_code, batch_id, group_key as facet_key
    from {{ raw }}.charge_group_keys
)

select distinct
    named.organization_id,
    coalesce(metrics.event_code, metrics.billable_metric_code) as event_code,
    named.facet_key
from named
inner join newest
    on named.organization_id = newest.organization_id
    and named.plan_code = newest.plan_code
    and named.effective_at = newest.effective_at
    and named.batch_id = newest.batch_id
inner join {{ raw }}.charges as charges
    on named.organization_id = charges.organization_id
    and named.plan_code = charges.plan_code
    and named.effective_at = charges.effective_at
    and named.charge_code = charges.charge_code
    and named.batch_id = charges.batch_id
inner join {{ raw }}.billable_metrics as metrics
    on charges.organization_id = metrics.organization_id
    and charges.billable_metric_code = metrics.billable_metric_code
