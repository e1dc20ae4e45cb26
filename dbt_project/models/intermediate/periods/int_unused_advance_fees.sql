with

moments as (

    select * from {{ ref('int_billing_moments') }}

),

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{# rows of plans in advance that are ended, with a closing invoice or without one #}
ended as (

    select
        moments.moment_id,
        case when moments.moment_state = 'skipped' then 'due' else moments.moment_state end as moment_state,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.ended_by,
        moments.instant_rank,
        moments.billing_at,
        moments.billing_date,
        case
            when moments.ended_by = 'upgrade' then 'credit'
            else subscriptions.on_termination_credit_note
        end as policy,
        cast(subscriptions.local_trial_ended_at as date) as trial_ended_date
    from moments
    inner join subscriptions
        on
            moments.organization_id = subscriptions.organization_id
            and moments.external_subscription_id = subscriptions.external_subscription_id
            and moments.subscription_created_at = subscriptions.created_at
    where moments.ended_by in ('termination', 'upgrade') and subscriptions.is_pay_in_advance

),

billed as (

    select
        ended.*,
        credited.moment_id as credited_moment_id,
        credited.to_date,
        credited.full_days_count,
        plan_versions.amount_cents as plan_amount_cents,
        row_number() over (
            partition by ended.moment_id
            order by credited.billing_at desc, credited.moment_id asc
        ) as latest_rank
    from ended
    inner join moments as credited
        on
            ended.organization_id = credited.organization_id
            and ended.external_subscription_id = credited.external_subscription_id
            and ended.subscription_created_at = credited.subscription_created_at
            and credited.has_plan_fee
            and ended.billing_date >= credited.from_date
            and ended.billing_date <= credited.to_date
    inner join plan_versions
        on
            credited.organization_id = plan_versions.organization_id
            and credited.fee_plan_code = plan_versions.plan_code
            and credited.fee_plan_effective_at = plan_versions.effective_at

)

{#
  The day of a termination is used, the day of an upgrade is the new plan's; days of a trial that still ran were free, so
  that all that was billed is unused (docs/billing-rules.md, Life cycle).
#}
select
    billed.moment_id,
    billed.moment_state,
    billed.organization_id,
    billed.external_customer_id,
    billed.external_subscription_id,
    billed.credited_moment_id,
    billed.plan_amount_cents,
    case
        when billed.trial_ended_date >= billed.billing_date
            then {{ days_between('billed.trial_ended_date', 'billed.to_date') }} + 1
        when billed.ended_by = 'upgrade' then {{ days_between('billed.billing_date', 'billed.to_date') }} + 1
        else {{ days_between('billed.billing_date', 'billed.to_date') }}
    end as unused_days_count,
    billed.full_days_count,
    billed.policy,
    billed.billing_at as issued_at,
    billed.instant_rank
from billed
where billed.latest_rank = 1 and billed.policy <> 'skip'
