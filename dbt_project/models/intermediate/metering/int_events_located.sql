{# As large as the events themselves: a view, which int_event_totals reads once for all that adds up or compares. #}
{{ config(materialized='view') }}

{{ located_events(recorded_bounds()) }}
