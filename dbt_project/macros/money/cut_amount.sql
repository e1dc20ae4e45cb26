{#
  An exact amount in the major unit cut (towards zero) to 24 decimals: decimal(38,24). A cut at the 24th decimal never
  changes how the amount rounds to minor units, since every half of a minor unit has far fewer decimals.
#}
{% macro cut_amount(amount) -%}
    cast(trunc({{ amount }}, 24) as decimal(38,24))
{%- endmacro %}

{#
  The price of the rest of a time-weighted quantity, `units_rest` x 10^-20 x price, cut to 24 decimals: decimal(38,24).
  Arguments: a whole number from 0 to 10^8 - 1, and a decimal with at most 12 digits after the point. Nearly every quantity
  has no rest, and its price is not worked out.
#}
{% macro price_units_rest(units_rest, price) -%}
    cast(
        case
            when {{ units_rest }} = 0 and {{ price }} is not null then 0
            else cast({{ divide_integers(
                '(cast(' ~ units_rest ~ ' as ' ~ wide_integer() ~ ') * ' ~ scaled_quantity('cast(' ~ price ~ ' as decimal(38,12))') ~ ')',
                100000000
            ) }} as decimal(38,0)) * 0.000000000000000000000001
        end as decimal(38,24)
    )
{%- endmacro %}

{# A percentage of the rest of a time-weighted quantity (see price_units_rest), cut to 26 decimals: decimal(38,26). #}
{% macro percent_units_rest(units_rest, rate) -%}
    cast({{ price_units_rest(units_rest, rate) }} * 0.01 as decimal(38,26))
{%- endmacro %}
