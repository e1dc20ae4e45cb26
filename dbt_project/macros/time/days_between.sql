{# The number of days from one date to another (later minus earlier), as an integer. #}
{% macro days_between(from_date, to_date) -%}
    cast({{ to_date }} - {{ from_date }} as integer)
{%- endmacro %}
