{#
  Shares of cents are kept as whole numbers: 10^-5 cents for shares of coupons, progressive credit and credit notes
  (docs/billing-rules.md, Order), 10^-10 cents for precise taxes and what wallets take. Shown as decimals at the end.
#}
{% macro cents_to_e5(cents) -%}(cast({{ cents }} as {{ wide_integer() }}) * 100000){%- endmacro %}

{% macro cents_to_e10(cents) -%}(cast({{ cents }} as {{ wide_integer() }}) * 10000000000){%- endmacro %}

{% macro e5_to_e10(value) -%}(cast({{ value }} as {{ wide_integer() }}) * 100000){%- endmacro %}

{% macro e5_to_decimal(value) -%}
    cast(cast({{ value }} as decimal(38,0)) * cast(0.00001 as decimal(6,5)) as decimal(38,5))
{%- endmacro %}

{# A decimal with at most 15 digits after the point as a whole number of 10^-10, halves away from zero. #}
{% macro decimal_to_e10(value) -%}
    (cast(trunc({{ value }}) as {{ wide_integer() }}) * 10000000000
        + cast(round(({{ value }} - trunc({{ value }})) * 10000000000) as {{ wide_integer() }}))
{%- endmacro %}

{% macro e10_to_decimal(value) -%}
    cast(cast({{ value }} as decimal(38,0)) * cast(0.0000000001 as decimal(11,10)) as decimal(38,10))
{%- endmacro %}
