{# As large as the events themselves: a view, which int_event_totals reads once for all that adds up or compares. #}
{{ config(materialized='view') }}

{%- set bounds = recorded_bounds() -%}
{{ located_events(bounds.from_at, bounds.batch) }}
