{# A percentage (at most 12 decimals) as a whole number of 10^-12 percent: what exact integer tax arithmetic uses. #}
{% macro scaled_percent(rate) -%}
    cast(cast({{ rate }} as decimal(26,12)) * 1000000000000 as {{ wide_integer() }})
{%- endmacro %}
