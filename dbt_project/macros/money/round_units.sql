{#
  A metric's rounding of units: function `round` (half away from zero), `ceil` or `floor` to `precision` decimals, where
  a null precision is 0 and a negative one means tens, hundreds, …; units unchanged when the function is null.
  `units` is decimal(38,12), so a precision of 12 or more changes nothing. Rule: docs/billing-rules.md, Exactness.
#}
{% macro round_units(units, rounding_function, rounding_precision) -%}
    {%- set scaled = scaled_quantity(units) -%}
    {%- set digits = "least(greatest(12 - coalesce(" ~ rounding_precision ~ ", 0), 0), 37)" -%}
    {%- set step = power_of_ten(digits) -%}
    (case
        when {{ rounding_function }} is null or coalesce({{ rounding_precision }}, 0) >= 12 then {{ units }}
        else cast(
            cast(
                case {{ rounding_function }}
                    when 'round' then {{ divide_half_away(scaled, step) }}
                    when 'ceil' then {{ divide_ceiling(scaled, step) }}
                    when 'floor' then {{ divide_floor(scaled, step) }}
                end * {{ step }}
                as decimal(38,0)
            ) * 0.000000000001
            as decimal(38,12)
        )
    end)
{%- endmacro %}
