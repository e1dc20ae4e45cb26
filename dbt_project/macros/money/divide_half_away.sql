{#
  numerator / denominator rounded to the nearest integer, halves away from zero; both integers, denominator > 0.

  The remainder is compared with what is missing to the denominator, so that nothing is doubled and nothing overflows.
  Null when either is null. Rule: docs/billing-rules.md, Exactness.
#}
{% macro divide_half_away(numerator, denominator) -%}
    ({{ divide_integers(numerator, denominator) }}
        + case
            when abs(cast({{ numerator }} as {{ wide_integer() }}) % cast({{ denominator }} as {{ wide_integer() }}))
                >= cast({{ denominator }} as {{ wide_integer() }})
                - abs(cast({{ numerator }} as {{ wide_integer() }}) % cast({{ denominator }} as {{ wide_integer() }}))
                then case when {{ numerator }} < 0 then -1 else 1 end
            else 0
        end)
{%- endmacro %}
