{# periods keyed by the years that they touch, one or two: a day finds its period among few #}
{%- set columns = [
    'timezone_history', 'plan_interval', 'anchor_month', 'anchor_day', 'anchor_weekday', 'from_date', 'to_date',
    'days_count', 'started_at', 'ended_at',
] -%}
select
    {% for column in columns -%}
        periods.{{ column }},
    {% endfor -%}
    cast(extract(year from periods.from_date) as integer) as touched_year
from {{ ref('int_period_calendars') }} as periods

union all

select
    {% for column in columns -%}
        periods.{{ column }},
    {% endfor -%}
    cast(extract(year from periods.to_date) as integer) as touched_year
from {{ ref('int_period_calendars') }} as periods
where extract(year from periods.from_date) <> extract(year from periods.to_date)
