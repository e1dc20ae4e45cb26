{#
  The text of a member of a JSON object, null when it is missing or null.

  `key` is an SQL expression: property names are values from the catalogue, never part of the SQL text.
#}
{% macro json_text(object, key) -%}
    {{ return(adapter.dispatch('json_text', 'meterhouse')(object, key)) }}
{%- endmacro %}

{% macro default__json_text(object, key) -%}
    (cast({{ object }} as json) ->> ({{ key }}))
{%- endmacro %}

{# DuckDB reads a text that begins with a slash as a JSON pointer, in which ~ and / are escaped. #}
{% macro duckdb__json_text(object, key) -%}
    json_extract_string({{ object }}, '/' || replace(replace({{ key }}, '~', '~0'), '/', '~1'))
{%- endmacro %}
