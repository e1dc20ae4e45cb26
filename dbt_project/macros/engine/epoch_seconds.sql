{# The whole seconds from 1970 to a timestamp in UTC; what is finer is cut. #}
{% macro epoch_seconds(timestamp) -%}
    {{ return(adapter.dispatch('epoch_seconds', 'meterhouse')(timestamp)) }}
{%- endmacro %}

{% macro default__epoch_seconds(timestamp) -%}
    cast(floor(extract(epoch from {{ timestamp }})) as bigint)
{%- endmacro %}

{% macro duckdb__epoch_seconds(timestamp) -%}
    cast(epoch_us({{ timestamp }}) // 1000000 as bigint)
{%- endmacro %}
