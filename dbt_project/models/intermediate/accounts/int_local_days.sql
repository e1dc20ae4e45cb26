with

histories as (

    select * from {{ ref('int_timezone_histories') }}

),

zone_days as (

    select * from {{ ref('stg_time__local_days') }}

),

{# UTC has every date, also those that a zone left out #}
dates as (

    select distinct
        histories.timezone_history,
        zone_days.local_date
    from histories
    cross join zone_days
    where zone_days.timezone = 'UTC'

),

lived as (

    select
        histories.timezone_history,
        zone_days.local_date,
        min(greatest(zone_days.started_at, histories.valid_from_at)) as started_at
    from histories
    inner join zone_days
        on
            histories.timezone = zone_days.timezone
            and histories.valid_to_at > zone_days.started_at
            and histories.valid_from_at < zone_days.ended_at
    group by histories.timezone_history, zone_days.local_date

),

{# a date begins when it is that date or a later one for the first time: every instant has one day #}
begun as (

    select
        dates.timezone_history,
        dates.local_date,
        min(lived.started_at) over (
            partition by dates.timezone_history
            order by dates.local_date desc
            rows between unbounded preceding and current row
        ) as started_at
    from dates
    left join lived
        on
            dates.timezone_history = lived.timezone_history
            and dates.local_date = lived.local_date

)

select
    begun.timezone_history,
    begun.local_date,
    begun.started_at,
    lead(begun.started_at) over (partition by begun.timezone_history order by begun.local_date) as ended_at
from begun
