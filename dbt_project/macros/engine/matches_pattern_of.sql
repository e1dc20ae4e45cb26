{# Whether a regular expression that is a value (a column of a reference table of ours) is found in a text. #}
{% macro matches_pattern_of(text, pattern) -%}
    {{ return(adapter.dispatch('matches_pattern_of', 'meterhouse')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches_pattern_of(text, pattern) -%}
    ({{ text }} ~ {{ pattern }})
{%- endmacro %}

{% macro duckdb__matches_pattern_of(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}
