with

asked as (

    select * from {{ ref('int_subscriptions_asked') }}

),

local_days as (

    select * from {{ ref('int_local_days') }}

),

{# a change of plan keeps the anchor: each anchor of a subscription may meet each interval of its plans #}
intervals as (

    select
        asked.organization_id,
        asked.external_subscription_id,
        asked.plan_interval
    from asked

    union

    select
        asked.organization_id,
        asked.external_subscription_id,
        'monthly' as plan_interval
    from asked
    where asked.is_usage_billed_monthly or asked.is_fixed_billed_monthly

),

{# many subscriptions share a calendar: distinct keeps one of each #}
calendars as (

    select distinct
        asked.timezone_history,
        intervals.plan_interval,
        asked.anchor_month,
        asked.anchor_day,
        asked.anchor_weekday,
        case intervals.plan_interval
            when 'monthly' then 1
            when 'quarterly' then 3
            when 'semiannual' then 6
            when 'yearly' then 12
        end as months_count
    from asked
    inner join intervals
        on
            asked.organization_id = intervals.organization_id
            and asked.external_subscription_id = intervals.external_subscription_id

),

period_starts as (

    select
        calendars.timezone_history,
        calendars.plan_interval,
        calendars.anchor_month,
        calendars.anchor_day,
        calendars.anchor_weekday,
        local_days.local_date as from_date,
        local_days.started_at,
        local_days.ended_at as first_day_ended_at
    from calendars
    inner join local_days
        on calendars.timezone_history = local_days.timezone_history
    where
        (
            calendars.plan_interval = 'weekly'
            and cast(extract(isodow from local_days.local_date) as integer) = calendars.anchor_weekday
        )
        or (
            calendars.plan_interval <> 'weekly'
            and cast(extract(day from local_days.local_date) as integer)
            = least(calendars.anchor_day, {{ last_day_of_month('local_days.local_date') }})
            and (cast(extract(month from local_days.local_date) as integer) - calendars.anchor_month + 12)
            % calendars.months_count = 0
        )

),

periods as (

    select
        period_starts.timezone_history,
        period_starts.plan_interval,
        period_starts.anchor_month,
        period_starts.anchor_day,
        period_starts.anchor_weekday,
        period_starts.from_date,
        period_starts.started_at,
        lead(period_starts.from_date) over (calendar_order) as next_from_date,
        lead(period_starts.started_at) over (calendar_order) as ended_at,
        lead(period_starts.first_day_ended_at) over (calendar_order) as billing_day_ended_at
    from period_starts
    window calendar_order as (
        partition by
            period_starts.timezone_history,
            period_starts.plan_interval,
            period_starts.anchor_month,
            period_starts.anchor_day,
            period_starts.anchor_weekday
        order by period_starts.from_date
    )

)

select
    periods.timezone_history,
    periods.plan_interval,
    periods.anchor_month,
    periods.anchor_day,
    periods.anchor_weekday,
    periods.from_date,
    {{ add_days('periods.next_from_date', -1) }} as to_date,
    periods.next_from_date as billing_date,
    {{ days_between('periods.from_date', 'periods.next_from_date') }} as days_count,
    periods.started_at,
    periods.ended_at,
    periods.billing_day_ended_at
from periods
where periods.next_from_date is not null
