{#
  What the plan of each period that an invoice bills reads; a view, since most closes ask for few periods. What a plan reads
  is found once for all periods that it prices from the same time, so that whoever asks for some periods makes the engine
  look at these alone.
#}
{{ config(materialized='view') }}

with

moments as (

    select
        moments.moment_id,
        moments.organization_id,
        moments.external_subscription_id,
        coalesce(repriced.plan_code, moments.plan_code) as plan_code,
        coalesce(repriced.plan_effective_at, moments.plan_effective_at) as plan_effective_at,
        moments.full_started_at
    from {{ ref('int_billing_moments') }} as moments
    left join {{ ref('int_repriced_moments') }} as repriced
        on moments.moment_id = repriced.moment_id
    where moments.usage_from_at < moments.usage_to_at and moments.is_invoiced

),

priced_times as (

    select distinct
        moments.organization_id,
        moments.plan_code,
        moments.plan_effective_at,
        moments.full_started_at
    from moments

),

codes as (

    select
        priced_times.organization_id,
        priced_times.plan_code,
        priced_times.plan_effective_at,
        priced_times.full_started_at,
        metric_versions.event_code,
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
    from priced_times
    inner join {{ ref('stg_book__charges') }} as charges
        on
            priced_times.organization_id = charges.organization_id
            and priced_times.plan_code = charges.plan_code
            and priced_times.plan_effective_at = charges.effective_at
    inner join {{ ref('int_metric_versions') }} as metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and priced_times.full_started_at >= metric_versions.valid_from_at
            and priced_times.full_started_at < metric_versions.valid_to_at
    group by
        priced_times.organization_id,
        priced_times.plan_code,
        priced_times.plan_effective_at,
        priced_times.full_started_at,
        metric_versions.event_code

)

select
    moments.moment_id,
    codes.event_code,
    moments.organization_id,
    moments.external_subscription_id,
    codes.is_recurring,
    codes.is_level_known,
    codes.is_pay_in_advance
from moments
inner join codes
    on
        moments.organization_id = codes.organization_id
        and moments.plan_code = codes.plan_code
        and moments.plan_effective_at = codes.plan_effective_at
        and moments.full_started_at = codes.full_started_at
