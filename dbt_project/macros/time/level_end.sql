{# When a level by time ends: the end of the period rounded up to a full second (semantics/rating.md section 3.2). #}
{% macro level_end(usage_to_at) -%}
    (
        case
            when date_trunc('second', {{ usage_to_at }} - interval '1 microsecond') = {{ usage_to_at }} - interval '1 microsecond'
                then {{ usage_to_at }} - interval '1 microsecond'
            else {{ add_seconds("date_trunc('second', " ~ usage_to_at ~ " - interval '1 microsecond')", 1) }}
        end
    )
{%- endmacro %}
