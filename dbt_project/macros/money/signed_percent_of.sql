{#
  A percentage of a whole number of any sign, rounded to a whole number, halves away from zero. `rate` is a decimal
  with at most 12 digits after the point; the number may have 27 digits.
#}
{% macro signed_percent_of(value, rate) -%}
    (case when {{ value }} < 0 then -1 else 1 end
        * {{ multiply_divide("abs(" ~ value ~ ")", scaled_percent(rate), "100000000000000") }})
{%- endmacro %}
