with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

period_calendars as (

    select * from {{ ref('int_period_calendars') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{#
  a period is billed on the first local day after it, by the earliest run that may; a subscription entered later on that
  very day is billed when it is entered, and periods whose billing day had passed by then are never billed
#}
renewals as (

    select
        subscriptions.organization_id,
        subscriptions.external_customer_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at as subscription_created_at,
        subscriptions.plan_code,
        subscriptions.base_plan_code,
        subscriptions.subscription_name,
        subscriptions.purchase_order_number,
        subscriptions.timezone,
        subscriptions.invoice_grace_period,
        subscriptions.started_at as row_started_at,
        period_calendars.billing_date,
        greatest(period_calendars.ended_at, subscriptions.created_at) as billing_at,
        greatest(period_calendars.from_date, subscriptions.started_date) as from_date,
        period_calendars.to_date,
        period_calendars.from_date as full_from_date,
        period_calendars.started_at as full_started_at,
        period_calendars.days_count as full_days_count,
        greatest(period_calendars.started_at, subscriptions.started_at) as usage_from_at,
        period_calendars.ended_at as usage_to_at,
        close_scope.close_id,
        close_scope.as_of,
        close_scope.known_batch_id
    from subscriptions
    inner join close_scope
        on subscriptions.organization_id = close_scope.organization_id
    inner join period_calendars
        on
            subscriptions.timezone = period_calendars.timezone
            and subscriptions.plan_interval = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and subscriptions.started_date <= period_calendars.to_date
            and subscriptions.created_at < period_calendars.billing_day_ended_at
            and close_scope.as_of >= period_calendars.started_at

),

identified as (

    select
        renewals.*,
        {# with a grace period a draft until the first UTC midnight at which its days have passed #}
        case
            when renewals.invoice_grace_period > 0
                then greatest(
                    renewals.billing_at,
                    cast({{ add_days('renewals.billing_date', 'renewals.invoice_grace_period') }} as timestamp)
                )
            else renewals.billing_at
        end as finalizes_at,
        {{ surrogate_key([
            'renewals.organization_id', 'renewals.external_subscription_id',
            'renewals.subscription_created_at', "'renewal'", 'renewals.billing_date',
        ]) }} as moment_id
    from renewals

)

select
    identified.moment_id,
    identified.organization_id,
    identified.external_customer_id,
    identified.external_subscription_id,
    identified.subscription_created_at,
    identified.plan_code,
    {# the version in force when the full period began: a new version never reprices a period under way #}
    plan_versions.effective_at as plan_effective_at,
    identified.base_plan_code,
    identified.subscription_name,
    identified.purchase_order_number,
    identified.timezone,
    'renewal' as reason,
    'renewal' as invoice_group,
    case
        when finalized_moments.moment_id is not null then 'finalized'
        when identified.finalizes_at <= identified.as_of then 'due'
        when identified.billing_at <= identified.as_of then 'draft'
        else 'running'
    end as moment_state,
    identified.billing_date,
    identified.billing_at,
    identified.finalizes_at,
    identified.row_started_at,
    false as has_previous_row,
    cast(null as varchar) as ended_by,
    cast(null as varchar) as next_plan_code,
    cast(null as timestamp) as next_plan_effective_at,
    true as has_plan_fee,
    identified.from_date,
    identified.to_date,
    identified.full_from_date,
    identified.full_started_at,
    identified.full_days_count,
    {{ days_between('identified.from_date', 'identified.to_date') }} + 1 as days_count,
    coalesce(finalized_moments.usage_from_at, identified.usage_from_at) as usage_from_at,
    coalesce(finalized_moments.usage_to_at, identified.usage_to_at) as usage_to_at,
    identified.from_date as usage_from_date,
    identified.to_date as usage_to_date,
    identified.full_days_count as usage_full_days_count,
    {{ days_between('identified.from_date', 'identified.to_date') }} + 1 as usage_days_count,
    coalesce(finalized_moments.known_batch_id, identified.known_batch_id) as known_batch_id,
    identified.as_of,
    identified.close_id
from identified
left join finalized_moments
    on identified.moment_id = finalized_moments.moment_id
left join plan_versions
    on
        identified.organization_id = plan_versions.organization_id
        and identified.plan_code = plan_versions.plan_code
        and identified.full_started_at >= plan_versions.valid_from_at
        and identified.full_started_at < plan_versions.valid_to_at
