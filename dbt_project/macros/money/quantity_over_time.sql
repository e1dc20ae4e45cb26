{#
  quantity x microseconds in two columns that add up without bound, whole units (decimal(38,0)) and the fraction
  (decimal(38,12)) apart: thousands of millions of the largest quantities over a year keep within 38 digits.
  Arguments: a decimal(27,12), and a whole number of at most 17 digits; null when one is null.
#}
{% macro whole_over_time(quantity, microseconds) -%}
    cast(
        cast(trunc({{ quantity }}) as decimal(21,0)) * cast({{ microseconds }} as decimal(17,0)) as decimal(38,0)
    )
{%- endmacro %}

{% macro fraction_over_time(quantity, microseconds) -%}
    cast(
        cast({{ quantity }} - trunc({{ quantity }}) as decimal(20,12)) * cast({{ microseconds }} as decimal(17,0))
        as decimal(38,12)
    )
{%- endmacro %}
