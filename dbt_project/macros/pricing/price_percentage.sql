{#
  Percentage without limits per event: the rate on the units above the free ones, the fixed amount for each event that
  is not free; no fixed amount at all when the units are zero. Exact, in the major unit, cut to 24 decimals.
  Rule: semantics/rating.md section 6.6.
#}
{% macro price_percentage(units, units_rest, free_units, rate, events_count, free_events_count, fixed_amount) -%}
    {{ cut_amount(
        multiply_percent('greatest(' ~ units ~ ' - ' ~ free_units ~ ', 0)', rate)
        ~ ' + case when ' ~ units ~ ' = 0 and ' ~ units_rest ~ ' = 0 or ' ~ free_events_count ~ ' >= ' ~ events_count
        ~ ' then 0 else ' ~ multiply_exact('(' ~ events_count ~ ' - ' ~ free_events_count ~ ')', fixed_amount) ~ ' end'
        ~ ' + case when ' ~ units ~ ' >= ' ~ free_units ~ ' then cast(' ~ price_units_rest(units_rest, rate)
        ~ ' as decimal(38,26)) * 0.01 else 0 end'
    ) }}
{%- endmacro %}

{# One event's own amount where limits per event apply: rate and fixed amount, raised to the minimum, cut to the maximum. #}
{% macro price_limited_event(value, rate, fixed_amount, min_amount, max_amount) -%}
    least(
        greatest(
            {{ multiply_percent(value, rate) }} + {{ fixed_amount }},
            coalesce({{ min_amount }}, {{ multiply_percent(value, rate) }} + {{ fixed_amount }})
        ),
        coalesce({{ max_amount }}, greatest(
            {{ multiply_percent(value, rate) }} + {{ fixed_amount }},
            coalesce({{ min_amount }}, {{ multiply_percent(value, rate) }} + {{ fixed_amount }})
        ))
    )
{%- endmacro %}
