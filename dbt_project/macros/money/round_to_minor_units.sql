{#
  An exact amount in the currency's major unit as a whole number of minor units (bigint), halves away from zero.
  `exponent` is the currency's number of decimals: 0, 2, 3 or 4. Rule: docs/billing-rules.md, Exactness.
#}
{% macro round_to_minor_units(amount, exponent) -%}
    (case {{ exponent }}
        {%- for digits in [0, 2, 3, 4] %}
        when {{ digits }} then cast(cast(round({{ amount }}, {{ digits }}) as decimal(30,{{ digits }})) * {{ 10 ** digits }} as bigint)
        {%- endfor %}
    end)
{%- endmacro %}
