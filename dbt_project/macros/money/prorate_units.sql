{#
  numerator / days as units rounded up (towards plus infinity) to 5 decimals: decimal(38,12). The numerator is a decimal
  with at most 12 digits after the point (units x days held), days a whole number > 0.
  Rule: docs/billing-rules.md, Usage and Exactness.
#}
{% macro prorate_units(numerator, days) -%}
    cast(
        cast({{ divide_ceiling(scaled_quantity(numerator), '(cast(' ~ days ~ ' as ' ~ wide_integer() ~ ') * 10000000)') }}
            as decimal(38,0)) * 0.00001
        as decimal(38,12)
    )
{%- endmacro %}
