{# When a level by time ends: the end of the period rounded up to a full second (docs/billing-rules.md, Usage). #}
{% macro level_end(usage_to_at) -%}
    (
        case
            when date_trunc('second', {{ usage_to_at }} - interval '1 microsecond') = {{ usage_to_at }} - interval '1 microsecond'
                then {{ usage_to_at }} - interval '1 microsecond'
            else {{ add_seconds("date_trunc('second', " ~ usage_to_at ~ " - interval '1 microsecond')", 1) }}
        end
    )
{%- endmacro %}
