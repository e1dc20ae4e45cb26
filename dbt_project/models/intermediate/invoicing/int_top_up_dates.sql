{#
  When the interval rules of wallets act in this close: at the first instant of the customer's local day, on the weekday
  or day of the month of the rule's start, clamped to the month's length. With `started_at` the first time is that very
  instant; without, one interval after the wallet was made.
#}
with

rules as (

    select
        rules.*,
        customers.timezone_history,
        case rules.rule_interval
            when 'monthly' then 1
            when 'quarterly' then 3
            when 'semiannual' then 6
            when 'yearly' then 12
        end as months_count
    from {{ ref('int_top_up_rules') }} as rules
    inner join {{ ref('int_customers_resolved') }} as customers
        on
            rules.organization_id = customers.organization_id
            and rules.external_customer_id = customers.external_customer_id
    where rules.trigger_type = 'interval'

),

local_days as (

    select * from {{ ref('int_local_days') }}

),

anchored as (

    select
        rules.*,
        local_days.local_date as anchor_date
    from rules
    inner join local_days
        on
            rules.timezone_history = local_days.timezone_history
            and coalesce(rules.started_at, rules.begins_at) >= local_days.started_at
            and coalesce(rules.started_at, rules.begins_at) < local_days.ended_at

),

dated as (

    select
        anchored.organization_id,
        anchored.wallet_code,
        anchored.rule_position,
        anchored.begins_at,
        anchored.ends_at,
        anchored.judged_to_at,
        anchored.as_of,
        case
            when local_days.local_date = anchored.anchor_date then anchored.started_at
            else local_days.started_at
        end as topped_up_at
    from anchored
    inner join local_days
        on
            anchored.timezone_history = local_days.timezone_history
            and anchored.anchor_date <= local_days.local_date
    where
        (
            anchored.rule_interval = 'weekly'
            and extract(isodow from local_days.local_date) = extract(isodow from anchored.anchor_date)
        )
        or (
            anchored.rule_interval <> 'weekly'
            and cast(extract(day from local_days.local_date) as integer) = least(
                cast(extract(day from anchored.anchor_date) as integer),
                {{ last_day_of_month('local_days.local_date') }}
            )
            and (
                cast(extract(month from local_days.local_date) as integer)
                - cast(extract(month from anchored.anchor_date) as integer) + 12
            ) % anchored.months_count = 0
        )

)

select
    dated.organization_id,
    dated.wallet_code,
    dated.rule_position,
    dated.topped_up_at
from dated
where
    dated.topped_up_at > dated.judged_to_at
    and dated.topped_up_at <= dated.as_of
    and dated.topped_up_at >= dated.begins_at
    and dated.topped_up_at < dated.ends_at
