{#
  An exact amount in the major unit of what the charge is priced in: of the currency as it is, of a custom pricing unit
  rounded to that unit's decimals (0 to 12) and times its conversion rate. Rule: docs/billing-rules.md, Prices.
#}
{% macro converted_amount(amount, pricing_unit_code, pricing_unit_exponent, conversion_rate) -%}
    {%- set rounded -%}
    case {{ pricing_unit_exponent }}
        {%- for digits in range(12) %}
        when {{ digits }} then cast(round({{ amount }}, {{ digits }}) as decimal(38,12))
        {%- endfor %}
        else cast(round({{ amount }}, 12) as decimal(38,12))
    end
    {%- endset -%}
    (case
        when {{ pricing_unit_code }} is null then {{ amount }}
        else {{ multiply_exact(rounded, conversion_rate) }}
    end)
{%- endmacro %}
