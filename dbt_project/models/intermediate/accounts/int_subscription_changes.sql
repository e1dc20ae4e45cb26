{#
  What each row of a subscription does: starts it, replaces what has not started yet, upgrades, waits as a downgrade, or
  changes nothing. Rows are taken in the order in which they were asked for; each is judged against what runs and what
  waits at its moment, so the model walks along the rows of a subscription (recursion, one step a row).
  Rules: docs/billing-rules.md, Time and Life cycle.
#}
with recursive

asked as (

    select
        rows_asked.*,
        least(rows_asked.terminated_at, rows_asked.ending_starts_at) as ends_at
    from {{ ref('int_subscriptions_asked') }} as rows_asked
    where rows_asked.plan_interval is not null

),

period_calendars as (

    select * from {{ ref('int_period_calendars') }}

),

numbered as (

    select
        asked.*,
        row_number() over (
            partition by asked.organization_id, asked.external_subscription_id
            order by asked.row_number_in_lineage
        ) as step
    from asked

),

walk as (

    select
        cast(numbered.organization_id as varchar) as organization_id,
        cast(numbered.external_subscription_id as varchar) as external_subscription_id,
        numbered.created_at,
        numbered.step,
        cast('start' as varchar) as change,
        numbered.starts_at,
        cast(numbered.billing_time as varchar) as billing_time,
        numbered.anchor_month,
        numbered.anchor_day,
        numbered.anchor_weekday,
        {# the end date that the row has or takes over #}
        numbered.ending_starts_at,
        {# a downgrade is off when the running row ends first #}
        cast(null as timestamp) as off_at,
        {# what runs after this step #}
        cast(numbered.plan_code as varchar) as running_plan_code,
        cast(numbered.plan_interval as varchar) as running_interval,
        cast(numbered.yearly_amount_cents as {{ wide_integer() }}) as running_yearly_amount_cents,
        numbered.starts_at as running_starts_at,
        numbered.ends_at as running_ends_at,
        numbered.ending_starts_at as running_ending_starts_at,
        {# what waits after this step #}
        cast(null as varchar) as waiting_plan_code,
        cast(null as varchar) as waiting_interval,
        cast(null as {{ wide_integer() }}) as waiting_yearly_amount_cents,
        cast(null as timestamp) as waiting_starts_at,
        cast(null as timestamp) as waiting_ends_at,
        cast(null as timestamp) as waiting_ending_starts_at
    from numbered
    where numbered.step = 1

    union all

    select
        cast(judged.organization_id as varchar) as organization_id,
        cast(judged.external_subscription_id as varchar) as external_subscription_id,
        judged.created_at,
        judged.step,
        cast(judged.change as varchar) as change,
        case judged.change
            when 'start' then greatest(judged.asked_starts_at, judged.over_at)
            when 'replacement' then judged.running_starts_at
            when 'downgrade' then period_calendars.ended_at
            else judged.created_at
        end as starts_at,
        cast(judged.billing_time as varchar) as billing_time,
        judged.anchor_month,
        judged.anchor_day,
        judged.anchor_weekday,
        judged.ending_starts_at,
        case when judged.change = 'downgrade' then judged.running_ends_at end as off_at,
        cast(case when judged.is_taking_over then judged.asked_plan_code else judged.running_plan_code end as varchar)
            as running_plan_code,
        cast(case when judged.is_taking_over then judged.asked_interval else judged.running_interval end as varchar)
            as running_interval,
        cast(
            case
                when judged.is_taking_over then judged.asked_yearly_amount_cents
                else judged.running_yearly_amount_cents
            end as {{ wide_integer() }}
        ) as running_yearly_amount_cents,
        case judged.change
            when 'start' then greatest(judged.asked_starts_at, judged.over_at)
            when 'upgrade' then judged.created_at
            else judged.running_starts_at
        end as running_starts_at,
        case
            when judged.is_taking_over then least(judged.asked_terminated_at, judged.ending_starts_at)
            else judged.running_ends_at
        end as running_ends_at,
        case when judged.is_taking_over then judged.ending_starts_at else judged.running_ending_starts_at end
            as running_ending_starts_at,
        cast(
            case
                when judged.change = 'downgrade' then judged.asked_plan_code
                when judged.change = 'none' then judged.waiting_plan_code
            end as varchar
        ) as waiting_plan_code,
        cast(
            case
                when judged.change = 'downgrade' then judged.asked_interval
                when judged.change = 'none' then judged.waiting_interval
            end as varchar
        ) as waiting_interval,
        cast(
            case
                when judged.change = 'downgrade' then judged.asked_yearly_amount_cents
                when judged.change = 'none' then judged.waiting_yearly_amount_cents
            end as {{ wide_integer() }}
        ) as waiting_yearly_amount_cents,
        case
            when judged.change = 'downgrade' then period_calendars.ended_at
            when judged.change = 'none' then judged.waiting_starts_at
        end as waiting_starts_at,
        case
            when judged.change = 'downgrade' then least(judged.asked_terminated_at, judged.ending_starts_at)
            when judged.change = 'none' then judged.waiting_ends_at
        end as waiting_ends_at,
        case
            when judged.change = 'downgrade' then judged.ending_starts_at
            when judged.change = 'none' then judged.waiting_ending_starts_at
        end as waiting_ending_starts_at
    from (
        select
            settled.*,
            settled.change in ('start', 'replacement', 'upgrade') as is_taking_over,
            case when settled.change = 'start' then settled.asked_billing_time else settled.kept_billing_time end
                as billing_time,
            case when settled.change = 'start' then settled.asked_anchor_month else settled.kept_anchor_month end
                as anchor_month,
            case when settled.change = 'start' then settled.asked_anchor_day else settled.kept_anchor_day end
                as anchor_day,
            case when settled.change = 'start' then settled.asked_anchor_weekday else settled.kept_anchor_weekday end
                as anchor_weekday,
            case
                when settled.change = 'start' then settled.asked_ending_starts_at
                else coalesce(settled.asked_ending_starts_at, settled.running_ending_starts_at)
            end as ending_starts_at
        from (
            select
                standing.*,
                case
                    when standing.running_ends_at <= standing.created_at then 'start'
                    when standing.asked_plan_code = standing.running_plan_code then 'none'
                    when standing.running_starts_at > standing.created_at then 'replacement'
                    when standing.asked_yearly_amount_cents >= standing.running_yearly_amount_cents then 'upgrade'
                    else 'downgrade'
                end as change,
                case when standing.running_ends_at <= standing.created_at then standing.running_ends_at end as over_at
            from (
                {# where things stand when the row is asked for: what waited may run by then #}
                select
                    asked_next.organization_id,
                    asked_next.external_subscription_id,
                    asked_next.created_at,
                    asked_next.step,
                    asked_next.plan_code as asked_plan_code,
                    asked_next.plan_interval as asked_interval,
                    asked_next.yearly_amount_cents as asked_yearly_amount_cents,
                    asked_next.starts_at as asked_starts_at,
                    asked_next.terminated_at as asked_terminated_at,
                    asked_next.ending_starts_at as asked_ending_starts_at,
                    asked_next.billing_time as asked_billing_time,
                    asked_next.anchor_month as asked_anchor_month,
                    asked_next.anchor_day as asked_anchor_day,
                    asked_next.anchor_weekday as asked_anchor_weekday,
                    asked_next.timezone_history,
                    walk.billing_time as kept_billing_time,
                    walk.anchor_month as kept_anchor_month,
                    walk.anchor_day as kept_anchor_day,
                    walk.anchor_weekday as kept_anchor_weekday,
                    {% for column in [
                        'plan_code', 'interval', 'yearly_amount_cents', 'starts_at', 'ends_at', 'ending_starts_at'
                    ] %}
                        case
                            when
                                walk.waiting_starts_at <= asked_next.created_at
                                and coalesce(walk.running_ends_at > walk.waiting_starts_at, true)
                                and coalesce(walk.waiting_ends_at > walk.waiting_starts_at, true)
                                then walk.waiting_{{ column }}
                            else walk.running_{{ column }}
                        end as running_{{ column }},
                        case
                            when
                                walk.waiting_starts_at > asked_next.created_at
                                and coalesce(walk.waiting_ends_at > asked_next.created_at, true)
                                then walk.waiting_{{ column }}
                        end as waiting_{{ column }}{% if not loop.last %},{% endif %}
                    {% endfor %}
                from walk
                inner join numbered as asked_next
                    on
                        walk.organization_id = asked_next.organization_id
                        and walk.external_subscription_id = asked_next.external_subscription_id
                        and walk.step + 1 = asked_next.step
            ) as standing
        ) as settled
    ) as judged
    {# a downgrade waits for the end of the running row's period #}
    left join period_calendars
        on
            judged.change = 'downgrade'
            and judged.timezone_history = period_calendars.timezone_history
            and judged.running_interval = period_calendars.plan_interval
            and judged.anchor_month = period_calendars.anchor_month
            and judged.anchor_day = period_calendars.anchor_day
            and judged.anchor_weekday = period_calendars.anchor_weekday
            and judged.created_at >= period_calendars.started_at
            and judged.created_at < period_calendars.ended_at

)

select
    walk.organization_id,
    walk.external_subscription_id,
    walk.created_at,
    walk.change,
    walk.starts_at,
    walk.off_at,
    walk.billing_time,
    walk.anchor_month,
    walk.anchor_day,
    walk.anchor_weekday,
    walk.ending_starts_at
from walk
