{# As large as all events ever landed: a view, read by those who ask for single events of closed periods. #}
{{ config(materialized='view') }}

{{ located_events() }}
