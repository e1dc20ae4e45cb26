with

{# UTC has every calendar date; landing keeps the years that the books use, so no clock is asked #}
dates as (

    select
        local_days.local_date as calendar_date,
        cast(extract(year from local_days.local_date) as integer) as year_number,
        cast(extract(quarter from local_days.local_date) as integer) as quarter_number,
        cast(extract(month from local_days.local_date) as integer) as month_number,
        cast(extract(day from local_days.local_date) as integer) as day_of_month,
        cast(extract(isodow from local_days.local_date) as integer) as iso_weekday,
        cast(extract(isoyear from local_days.local_date) as integer) as iso_year,
        cast(extract(week from local_days.local_date) as integer) as iso_week
    from {{ ref('stg_time__local_days') }} as local_days
    where local_days.timezone = 'UTC'

)

select
    dates.calendar_date,
    dates.year_number,
    dates.quarter_number,
    dates.month_number,
    dates.day_of_month,
    dates.iso_year,
    dates.iso_week,
    dates.iso_weekday,
    case dates.iso_weekday
        when 1 then 'Monday'
        when 2 then 'Tuesday'
        when 3 then 'Wednesday'
        when 4 then 'Thursday'
        when 5 then 'Friday'
        when 6 then 'Saturday'
        when 7 then 'Sunday'
    end as weekday_name,
    {{ add_days('dates.calendar_date', '1 - dates.day_of_month') }} as date_month,
    {{ add_days('dates.calendar_date', '1 - dates.iso_weekday') }} as date_week,
    {{ last_day_of_month('dates.calendar_date') }} as days_in_month,
    dates.day_of_month = {{ last_day_of_month('dates.calendar_date') }} as is_month_end
from dates
