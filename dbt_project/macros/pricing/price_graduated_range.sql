{#
  Graduated: the units that fall into one range that the units reach, and what they cost with its flat fee.
  With t the smaller of units and upper bound: t in a first range from 0; t - from when all ranges touch; else
  t - from + 1 (integer bounds; a fraction above an upper bound belongs to the next range).
  Rule: docs/billing-rules.md, Prices.
#}
{% macro units_in_graduated_range(units, from_value, to_value, is_touching) -%}
    (least({{ units }}, coalesce({{ to_value }}, {{ units }}))
        - case when {{ from_value }} = 0 or {{ is_touching }} then {{ from_value }} else {{ from_value }} - 1 end)
{%- endmacro %}

{% macro price_graduated_range(units_in_range, per_unit_amount, flat_amount) -%}
    ({{ multiply_exact(units_in_range, per_unit_amount) }} + {{ flat_amount }})
{%- endmacro %}

{#
  The same for a quantity of which it is known that it fits with the charge's highest price (too_many_units of
  int_charge_ranges), with what the quantity has beyond 12 decimals (see price_units_rest): decimal(38,24).
#}
{% macro price_billable_range(units_in_range, units_rest, per_unit_amount, flat_amount) -%}
    cast(
        cast({{ units_in_range }} as decimal(38,12)) * cast({{ per_unit_amount }} as decimal(21,12))
        + {{ flat_amount }}
        + {{ price_units_rest(units_rest, per_unit_amount) }}
        as decimal(38,24)
    )
{%- endmacro %}
