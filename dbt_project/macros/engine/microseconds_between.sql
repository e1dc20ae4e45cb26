{# The microseconds from one timestamp to another, as a whole number. #}
{% macro microseconds_between(from_at, to_at) -%}
    {{ return(adapter.dispatch('microseconds_between', 'meterhouse')(from_at, to_at)) }}
{%- endmacro %}

{% macro default__microseconds_between(from_at, to_at) -%}
    cast((extract(epoch from {{ to_at }}) - extract(epoch from {{ from_at }})) * 1000000 as bigint)
{%- endmacro %}

{% macro duckdb__microseconds_between(from_at, to_at) -%}
    (epoch_us({{ to_at }}) - epoch_us({{ from_at }}))
{%- endmacro %}
