{#
  quantity x percentage rate / 100, exact: decimal(38,26). Null when either is null or the product does not fit
  (see fits_money). Arguments: decimals with at most 12 digits after the point.
#}
{% macro multiply_percent(quantity, rate) -%}
    (case
        when {{ fits_money(quantity, rate) }}
            then cast(
                cast({{ quantity }} as decimal(38,12)) * cast(cast({{ rate }} as decimal(21,12)) * 0.01 as decimal(23,14))
                as decimal(38,26)
            )
    end)
{%- endmacro %}
