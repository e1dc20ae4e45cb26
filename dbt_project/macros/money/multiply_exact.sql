{#
  quantity x price in the currency's major unit, exact: decimal(38,24). Null when either is null or the product does not
  fit (see fits_money). Arguments: decimals with at most 12 digits after the point.
#}
{% macro multiply_exact(quantity, price) -%}
    (case
        when {{ fits_money(quantity, price) }}
            then cast(cast({{ quantity }} as decimal(38,12)) * cast({{ price }} as decimal(21,12)) as decimal(38,24))
    end)
{%- endmacro %}
