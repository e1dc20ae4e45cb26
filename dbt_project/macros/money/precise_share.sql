{#
  amount_cents x numerator / denominator in minor units with 15 decimals, halves away from zero: decimal(38,15).
  amount_cents a whole number of at most 15 digits, numerator and denominator whole numbers of at most 4 digits (days).
#}
{% macro precise_share(amount_cents, numerator, denominator) -%}
    cast(
        cast(
            {{ divide_half_away(
                "cast(" ~ amount_cents ~ " as " ~ wide_integer() ~ ") * " ~ numerator ~ " * 1000000000000000", denominator
            ) }} as decimal(38,0)
        ) * 0.000000000000001
        as decimal(38,15)
    )
{%- endmacro %}
