{#
  An exact amount in the currency's major unit in minor units with 15 decimals: decimal(38,15).
  For display and explanation; nothing is computed from it. Rule: docs/billing-rules.md, Exactness.
#}
{% macro precise_minor_units(amount, exponent) -%}
    (case {{ exponent }}
        {%- for digits in [0, 2, 3, 4] %}
        when {{ digits }} then cast(
            cast(round({{ amount }}, {{ 15 + digits }}) as decimal(38,{{ 15 + digits }})) * {{ 10 ** digits }}
            as decimal(38,15)
        )
        {%- endfor %}
    end)
{%- endmacro %}
