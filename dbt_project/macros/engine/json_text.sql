{#
  The text of a member of a JSON object, null when it is missing or null.

  `key` is an SQL expression: property names are values from the catalogue, never part of the SQL text.
#}
{% macro json_text(object, key) -%}
    {{ json_at(object, json_path(key)) }}
{%- endmacro %}

{# How the engine names a member: what json_at takes, worked out once where the same name is read from many objects. #}
{% macro json_path(key) -%}
    {{ return(adapter.dispatch('json_path', 'meterhouse')(key)) }}
{%- endmacro %}

{% macro default__json_path(key) -%}
    {{ key }}
{%- endmacro %}

{# DuckDB reads a text that begins with a slash as a JSON pointer, in which ~ and / are escaped. #}
{% macro duckdb__json_path(key) -%}
    '/' || replace(replace({{ key }}, '~', '~0'), '/', '~1')
{%- endmacro %}

{# As json_text, for a name that json_path gave. #}
{% macro json_at(object, path) -%}
    {{ return(adapter.dispatch('json_at', 'meterhouse')(object, path)) }}
{%- endmacro %}

{% macro default__json_at(object, path) -%}
    (cast({{ object }} as json) ->> ({{ path }}))
{%- endmacro %}

{% macro duckdb__json_at(object, path) -%}
    json_extract_string({{ object }}, {{ path }})
{%- endmacro %}
