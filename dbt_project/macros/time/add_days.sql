{# A date some whole days later (or earlier); both engines add integers to dates. #}
{% macro add_days(date, days) -%}
    cast({{ date }} + cast({{ days }} as integer) as date)
{%- endmacro %}
