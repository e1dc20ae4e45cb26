{#
  Where a quantity lies among the ranges of a charge: `units`, and what they have beyond 12 decimals (`units_rest`, 0 or
  more), against a row of int_charge_ranges. It reaches a range when it goes beyond the end of the one before, and ends by it
  when it does not go beyond its own end; so units between two ranges belong to the later one.
  Rule: docs/billing-rules.md, Prices.
#}
{% macro reaches_range(units, units_rest, ranges) -%}
    (
        {{ ranges }}.range_position = 1
        or {{ units }} > {{ ranges }}.previous_to_value
        or ({{ units }} = {{ ranges }}.previous_to_value and {{ units_rest }} > 0)
    )
{%- endmacro %}

{% macro ends_by_range(units, units_rest, ranges) -%}
    (
        {{ ranges }}.to_value is null
        or {{ units }} < {{ ranges }}.to_value
        or ({{ units }} = {{ ranges }}.to_value and {{ units_rest }} = 0)
    )
{%- endmacro %}
