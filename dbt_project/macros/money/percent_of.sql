{#
  A sum of `amount_cents x scaled_percent(rate)` as a whole number of cents, halves away from zero: the one rounding of
  a tax (semantics/invoice.md section 2). The argument is an integer expression.
#}
{% macro cents_of_scaled_percents(scaled_sum) -%}
    cast({{ divide_half_away(scaled_sum, '100000000000000') }} as bigint)
{%- endmacro %}
