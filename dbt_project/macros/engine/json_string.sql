{# A text as a JSON string with its quotes; null stays null. #}
{% macro json_string(text) -%}
    {{ return(adapter.dispatch('json_string', 'meterhouse')(text)) }}
{%- endmacro %}

{% macro default__json_string(text) -%}
    cast(to_json(cast({{ text }} as varchar)) as varchar)
{%- endmacro %}

{% macro duckdb__json_string(text) -%}
    cast(case when {{ text }} is not null then to_json(cast({{ text }} as varchar)) end as varchar)
{%- endmacro %}
