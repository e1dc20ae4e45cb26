{#
  A text as a JSON string with its quotes, the same bytes on every engine (it becomes part of keys); null stays null.
#}
{% macro json_string(text) -%}
    {{ return(adapter.dispatch('json_string', 'meterhouse')(text)) }}
{%- endmacro %}

{% macro default__json_string(text) -%}
    cast(to_json(cast({{ text }} as varchar)) as varchar)
{%- endmacro %}

{# DuckDB writes the digits of control characters in capitals; escaped backslashes stand aside as chr(1) meanwhile. #}
{% macro duckdb__json_string(text) -%}
    {%- set ns = namespace(json="replace(cast(to_json(cast(" ~ text ~ " as varchar)) as varchar), '\\\\', chr(1))") -%}
    {%- for code in ['000b', '000e', '000f', '001a', '001b', '001c', '001d', '001e', '001f'] -%}
        {%- set ns.json = "replace(" ~ ns.json ~ ", '\\u" ~ code[:3] ~ code[3] | upper ~ "', '\\u" ~ code ~ "')" -%}
    {%- endfor -%}
    (case when {{ text }} is not null then replace({{ ns.json }}, chr(1), '\\') end)
{%- endmacro %}
