{# The year and month of a date as six digits. #}
{% macro year_month_text(date) -%}
    cast(cast(extract(year from {{ date }}) as integer) * 100 + cast(extract(month from {{ date }}) as integer) as varchar)
{%- endmacro %}
