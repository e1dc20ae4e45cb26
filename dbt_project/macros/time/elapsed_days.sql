{#
  Days of elapsed local time between two local timestamps, rounded up; an end at exactly midnight is one second later.
  Rule: docs/billing-rules.md, Life cycle.
#}
{% macro elapsed_days(local_from_at, local_to_at) -%}
    ({{ days_between('cast(' ~ local_from_at ~ ' as date)', 'cast(' ~ local_to_at ~ ' as date)') }}
        + case
            when cast({{ local_to_at }} as time) > cast({{ local_from_at }} as time) then 1
            when cast({{ local_to_at }} as time) = time '00:00:00' and cast({{ local_from_at }} as time) < time '00:00:01'
                then 1
            else 0
        end)
{%- endmacro %}
