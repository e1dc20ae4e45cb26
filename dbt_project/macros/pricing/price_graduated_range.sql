{#
  Graduated: the units that fall into one range that the units reach, and what they cost with its flat fee.
  With t the smaller of units and upper bound: t in a first range from 0; t - from when all ranges touch; else
  t - from + 1 (integer bounds; a fraction above an upper bound belongs to the next range).
  Rule: semantics/rating.md section 6.2.
#}
{% macro units_in_graduated_range(units, from_value, to_value, is_touching) -%}
    (least({{ units }}, coalesce({{ to_value }}, {{ units }}))
        - case when {{ from_value }} = 0 or {{ is_touching }} then {{ from_value }} else {{ from_value }} - 1 end)
{%- endmacro %}

{% macro price_graduated_range(units_in_range, per_unit_amount, flat_amount) -%}
    ({{ multiply_exact(units_in_range, per_unit_amount) }} + {{ flat_amount }})
{%- endmacro %}
