with

asked as (

    select * from {{ ref('int_subscriptions_asked') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{#
  A version that came after the subscription reaches it unless it says `cascade_updates: false`, or bills in another
  rhythm: that one is for new subscriptions.
#}
reaching as (

    select
        asked.organization_id,
        asked.external_subscription_id,
        asked.created_at,
        asked.plan_code,
        plan_versions.effective_at as plan_effective_at
    from asked
    inner join plan_versions
        on
            asked.organization_id = plan_versions.organization_id
            and asked.plan_code = plan_versions.plan_code
            and asked.plan_interval = plan_versions.plan_interval
            and asked.is_pay_in_advance = plan_versions.is_pay_in_advance
            and asked.is_usage_billed_monthly = plan_versions.is_usage_billed_monthly
            and asked.is_fixed_billed_monthly = plan_versions.is_fixed_billed_monthly
            and (
                asked.created_at >= plan_versions.effective_at
                or plan_versions.version_number = 1
                or plan_versions.cascade_updates
            )

)

select
    reaching.organization_id,
    reaching.external_subscription_id,
    reaching.created_at,
    reaching.plan_code,
    reaching.plan_effective_at,
    reaching.plan_effective_at as valid_from_at,
    coalesce(
        lead(reaching.plan_effective_at) over (
            partition by reaching.organization_id, reaching.external_subscription_id, reaching.created_at
            order by reaching.plan_effective_at
        ),
        {{ end_of_time() }}
    ) as valid_to_at
from reaching
