{# What the plan of each period reads; a view, since most closes ask for few periods. #}
{{ config(materialized='view') }}

select
    moments.moment_id,
    metric_versions.event_code,
    min(moments.organization_id) as organization_id,
    min(moments.external_subscription_id) as external_subscription_id,
    max(case when metric_versions.is_recurring then 1 else 0 end) = 1 as is_recurring,
    {# levels that are billed with all that is known by then: int_event_readings #}
    min(
        case
            when
                metric_versions.is_recurring
                and metric_versions.aggregation_type in ('sum_agg', 'unique_count_agg')
                then 1
            else 0
        end
    ) = 1 as is_level_known,
    max(case when charges.is_pay_in_advance then 1 else 0 end) = 1 as is_pay_in_advance
from {{ ref('int_billing_moments') }} as moments
left join {{ ref('int_repriced_moments') }} as repriced
    on moments.moment_id = repriced.moment_id
inner join {{ ref('stg_book__charges') }} as charges
    on
        moments.organization_id = charges.organization_id
        and coalesce(repriced.plan_code, moments.plan_code) = charges.plan_code
        and coalesce(repriced.plan_effective_at, moments.plan_effective_at) = charges.effective_at
inner join {{ ref('int_metric_versions') }} as metric_versions
    on
        charges.organization_id = metric_versions.organization_id
        and charges.billable_metric_code = metric_versions.billable_metric_code
        and moments.full_started_at >= metric_versions.valid_from_at
        and moments.full_started_at < metric_versions.valid_to_at
where moments.usage_from_at < moments.usage_to_at
group by moments.moment_id, metric_versions.event_code
