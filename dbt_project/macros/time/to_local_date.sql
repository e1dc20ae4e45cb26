{# The local calendar date of a UTC instant, given the zone's offset at that instant (from stg_time__timezone_offsets). #}
{% macro to_local_date(instant, utc_offset_seconds) -%}
    cast({{ add_seconds(instant, utc_offset_seconds) }} as date)
{%- endmacro %}
