{#
  Percentage without limits per event: the rate on the units above the free ones, the fixed amount for each event that
  is not free; no fixed amount at all when the units are zero. Exact, in the major unit, cut to 24 decimals.
  Rule: docs/billing-rules.md, Prices.
#}
{% macro price_percentage(units, units_rest, free_units, rate, events_count, free_events_count, fixed_amount) -%}
    cast(
        {{ cut_amount(
            multiply_percent('greatest(' ~ units ~ ' - ' ~ free_units ~ ', 0)', rate)
            ~ ' + case when ' ~ units ~ ' >= ' ~ free_units ~ ' then ' ~ percent_units_rest(units_rest, rate)
            ~ ' else 0 end'
        ) }}
        + case
            when {{ units }} = 0 and {{ units_rest }} = 0 or {{ free_events_count }} >= {{ events_count }}
                then cast(0 as decimal(38,24))
            else {{ multiply_exact('(' ~ events_count ~ ' - ' ~ free_events_count ~ ')', fixed_amount) }}
        end
        as decimal(38,24)
    )
{%- endmacro %}

{#
  One event's own amount where limits per event apply: rate and fixed amount, raised to the minimum, cut to the maximum
  (null when there is none). Null when rate x value does not fit, whatever the limits.
#}
{% macro price_limited_event(value, rate, fixed_amount, min_amount, max_amount) -%}
    case
        when {{ multiply_percent(value, rate) }} is not null
            then least(
                greatest({{ multiply_percent(value, rate) }} + {{ fixed_amount }}, {{ min_amount }}), {{ max_amount }}
            )
    end
{%- endmacro %}
