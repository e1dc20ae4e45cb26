{#
  Whether quantity x price stays within 13 digits before the decimal point, so that the product and sums of a few of
  them stay within 38 digits and no row can break a close. Exact, by integer division; both arguments decimals with at
  most 12 digits after the point. What does not fit has no amount, and the gate holds its customer back. Nearly all
  prices are below 1000 and quantities below 10^10: they fit without the division of 128 bits, a third of what a price costs.
#}
{% macro fits_money(quantity, price) -%}
    ((abs(trunc({{ quantity }})) <= 10000000000 and abs({{ price }}) < 1000)
        or abs(trunc({{ quantity }})) <= {{ units_that_fit(price) }})
{%- endmacro %}

{# The largest whole quantity that fits with a price: for prices of which many quantities are asked. #}
{% macro units_that_fit(price) -%}
    {{ divide_integers(
        power_of_ten(25),
        "greatest(abs(trunc(cast(" ~ price ~ " as decimal(26,12)) * 1000000000000)), 1)"
    ) }}
{%- endmacro %}
