{#
  A decimal with at most 12 digits after the point as a whole number of 10^-12: what exact integer arithmetic on units
  uses. The integer part and the fraction are scaled apart, so that 26 digits before the point do not overflow.
#}
{% macro scaled_quantity(quantity) -%}
    (cast(trunc({{ quantity }}) as {{ wide_integer() }}) * 1000000000000
        + cast(({{ quantity }} - trunc({{ quantity }})) * 1000000000000 as {{ wide_integer() }}))
{%- endmacro %}

{# A whole number of 10^-12 as decimal(38,12). #}
{% macro quantity_of_scaled(scaled) -%}
    cast(cast({{ scaled }} as decimal(38,0)) * 0.000000000001 as decimal(38,12))
{%- endmacro %}
