{# Standard: units x unit price, exact, in the major unit. Rule: docs/billing-rules.md, Prices. #}
{% macro price_standard(units, unit_price) -%}
    {{ multiply_exact(units, unit_price) }}
{%- endmacro %}
