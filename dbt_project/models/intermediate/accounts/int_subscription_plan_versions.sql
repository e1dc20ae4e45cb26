{#
  By which prices a subscription row is billed, and when: the version of its plan that reaches it, the phase that it has
  come to, and the rate card that its customer has for the plan.
#}
with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

variants as (

    select * from {{ ref('stg_book__plans') }}
    where variant_of_plan_code is not null

),

period_calendars as (

    select * from {{ ref('int_period_calendars') }}

),

{#
  A version that came after the subscription reaches it unless it says `cascade_updates: false`, or bills in another
  rhythm: that one is for new subscriptions.
#}
reaching as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.external_customer_id,
        subscriptions.plan_code,
        plan_versions.effective_at as plan_effective_at,
        coalesce(
            lead(plan_versions.effective_at) over (
                partition by
                    subscriptions.organization_id, subscriptions.external_subscription_id, subscriptions.created_at
                order by plan_versions.effective_at
            ),
            {{ end_of_time() }}
        ) as superseded_at
    from subscriptions
    inner join plan_versions
        on
            subscriptions.organization_id = plan_versions.organization_id
            and subscriptions.plan_code = plan_versions.plan_code
            and subscriptions.plan_interval = plan_versions.plan_interval
            and subscriptions.is_pay_in_advance = plan_versions.is_pay_in_advance
            and subscriptions.is_usage_billed_monthly = plan_versions.is_usage_billed_monthly
            and subscriptions.is_fixed_billed_monthly = plan_versions.is_fixed_billed_monthly
            and (
                subscriptions.created_at >= plan_versions.effective_at
                or plan_versions.version_number = 1
                or plan_versions.cascade_updates
            )

),

phase_steps as (

    {# one row per plan and number of periods, whatever versions and rate cards have that phase #}
    select distinct
        variants.organization_id,
        variants.variant_of_plan_code as plan_code,
        variants.after_periods
    from variants
    where variants.after_periods > 0

),

{# only plans with phases need the age of their subscriptions; one row per plan, however many phases it has #}
phased_plans as (

    select distinct
        phase_steps.organization_id,
        phase_steps.plan_code
    from phase_steps

),

row_periods as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.plan_code,
        period_calendars.started_at,
        row_number() over (
            partition by subscriptions.organization_id, subscriptions.external_subscription_id, subscriptions.created_at
            order by period_calendars.from_date
        ) - 1 as periods_before
    from subscriptions
    inner join phased_plans
        on
            subscriptions.organization_id = phased_plans.organization_id
            and subscriptions.plan_code = phased_plans.plan_code
    inner join period_calendars
        on
            subscriptions.timezone_history = period_calendars.timezone_history
            and subscriptions.plan_interval = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and subscriptions.started_date <= period_calendars.to_date

),

phases as (

    select
        row_periods.organization_id,
        row_periods.external_subscription_id,
        row_periods.created_at,
        row_periods.started_at,
        phase_steps.after_periods
    from row_periods
    inner join phase_steps
        on
            row_periods.organization_id = phase_steps.organization_id
            and row_periods.plan_code = phase_steps.plan_code
            and row_periods.periods_before = phase_steps.after_periods

),

agreed as (

    {# one row per rate card, however many versions and phases of the plan it changes #}
    select distinct
        variants.organization_id,
        variants.agreed_external_customer_id as external_customer_id,
        variants.variant_of_plan_code as plan_code,
        variants.agreed_from_at,
        variants.agreed_to_at
    from variants
    where variants.agreed_from_at is not null

),

{# a later card ends the one before it #}
cards as (

    select
        agreed.organization_id,
        agreed.external_customer_id,
        agreed.plan_code,
        agreed.agreed_from_at,
        least(
            coalesce(agreed.agreed_to_at, {{ end_of_time() }}),
            coalesce(
                lead(agreed.agreed_from_at) over (
                    partition by agreed.organization_id, agreed.external_customer_id, agreed.plan_code
                    order by agreed.agreed_from_at
                ),
                {{ end_of_time() }}
            )
        ) as agreed_to_at
    from agreed

),

row_cards as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        cards.agreed_from_at,
        cards.agreed_to_at
    from subscriptions
    inner join cards
        on
            subscriptions.organization_id = cards.organization_id
            and subscriptions.external_customer_id = cards.external_customer_id
            and subscriptions.plan_code = cards.plan_code

),

{# whenever one of the three may change #}
steps as (

    select
        reaching.organization_id,
        reaching.external_subscription_id,
        reaching.created_at,
        reaching.plan_effective_at as step_at
    from reaching

    union

    select
        phases.organization_id,
        phases.external_subscription_id,
        phases.created_at,
        phases.started_at as step_at
    from phases

    {% for column in ['agreed_from_at', 'agreed_to_at'] -%}
        union

        select
            row_cards.organization_id,
            row_cards.external_subscription_id,
            row_cards.created_at,
            row_cards.{{ column }} as step_at
        from row_cards
    {% endfor %}

),

stretches as (

    select
        steps.*,
        coalesce(
            lead(steps.step_at) over (
                partition by steps.organization_id, steps.external_subscription_id, steps.created_at
                order by steps.step_at
            ),
            {{ end_of_time() }}
        ) as next_step_at
    from steps
    where steps.step_at < {{ end_of_time() }}

),

placed as (

    select
        stretches.organization_id,
        stretches.external_subscription_id,
        stretches.created_at,
        reaching.external_customer_id,
        reaching.plan_code as base_plan_code,
        reaching.plan_effective_at,
        stretches.step_at as valid_from_at,
        stretches.next_step_at as valid_to_at,
        row_cards.agreed_from_at,
        max(coalesce(phases.after_periods, 0)) as after_periods
    from stretches
    inner join reaching
        on
            stretches.organization_id = reaching.organization_id
            and stretches.external_subscription_id = reaching.external_subscription_id
            and stretches.created_at = reaching.created_at
            and stretches.step_at >= reaching.plan_effective_at
            and stretches.step_at < reaching.superseded_at
    left join phases
        on
            stretches.organization_id = phases.organization_id
            and stretches.external_subscription_id = phases.external_subscription_id
            and stretches.created_at = phases.created_at
            and stretches.step_at >= phases.started_at
    left join row_cards
        on
            stretches.organization_id = row_cards.organization_id
            and stretches.external_subscription_id = row_cards.external_subscription_id
            and stretches.created_at = row_cards.created_at
            and stretches.step_at >= row_cards.agreed_from_at
            and stretches.step_at < row_cards.agreed_to_at
    group by
        stretches.organization_id,
        stretches.external_subscription_id,
        stretches.created_at,
        reaching.external_customer_id,
        reaching.plan_code,
        reaching.plan_effective_at,
        stretches.step_at,
        stretches.next_step_at,
        row_cards.agreed_from_at

),

{# a version without that phase has the last one before it that it has #}
named as (

    select
        placed.organization_id,
        placed.external_subscription_id,
        placed.created_at,
        placed.base_plan_code,
        placed.plan_effective_at,
        placed.valid_from_at,
        placed.valid_to_at,
        coalesce(variants.plan_code, placed.base_plan_code) as plan_code,
        row_number() over (
            partition by
                placed.organization_id, placed.external_subscription_id, placed.created_at, placed.valid_from_at
            order by variants.after_periods desc nulls last
        ) as phase_rank
    from placed
    left join variants
        on
            placed.organization_id = variants.organization_id
            and placed.base_plan_code = variants.variant_of_plan_code
            and placed.plan_effective_at = variants.effective_at
            and placed.after_periods >= variants.after_periods
            and coalesce(placed.agreed_from_at, {{ end_of_time() }})
            = coalesce(variants.agreed_from_at, {{ end_of_time() }})
            and (
                variants.agreed_from_at is null
                or placed.external_customer_id = variants.agreed_external_customer_id
            )

)

select
    named.organization_id,
    named.external_subscription_id,
    named.created_at,
    named.base_plan_code,
    named.plan_code,
    named.plan_effective_at,
    named.valid_from_at,
    named.valid_to_at
from named
where named.phase_rank = 1
