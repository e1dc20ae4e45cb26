with

carried_codes as (

    select
        metered_charges.organization_id,
        metered_charges.external_subscription_id,
        metered_charges.event_code,
        metered_charges.history_from_at,
        metered_charges.usage_to_at,
        0 as is_levelled
    from {{ ref('int_metered_charges') }} as metered_charges
    where metered_charges.is_recurring

    union all

    select distinct
        moments.organization_id,
        moments.external_subscription_id,
        metric_versions.event_code,
        cast(null as timestamp) as history_from_at,
        cast(null as timestamp) as usage_to_at,
        1 as is_levelled
    from {{ ref('int_billing_moments') }} as moments
    inner join {{ ref('stg_book__charges') }} as charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
    inner join {{ ref('int_metric_versions') }} as metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and metric_versions.is_recurring
            and metric_versions.aggregation_type in ('sum_agg', 'unique_count_agg')

)

select
    carried_codes.organization_id,
    carried_codes.external_subscription_id,
    carried_codes.event_code,
    min(carried_codes.history_from_at) as history_from_at,
    max(carried_codes.usage_to_at) as usage_to_at,
    max(carried_codes.is_levelled) = 1 as is_levelled
from carried_codes
group by
    carried_codes.organization_id,
    carried_codes.external_subscription_id,
    carried_codes.event_code
