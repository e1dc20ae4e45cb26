{# Standard: units x unit price, exact, in the major unit. Rule: semantics/rating.md section 6.1. #}
{% macro price_standard(units, unit_price) -%}
    {{ multiply_exact(units, unit_price) }}
{%- endmacro %}
