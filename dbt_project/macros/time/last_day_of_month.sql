{# The number of the last day in the month of a date: 28 to 31. #}
{% macro last_day_of_month(date) -%}
    cast(extract(day from cast({{ dbt.last_day(date, 'month') }} as date)) as integer)
{%- endmacro %}
