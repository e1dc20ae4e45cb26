{# Aggregate: the value of the row that is last in the order of `keys`, of the rows that meet `condition`. #}
{% macro last_by(value, keys, condition) -%}
    {{ return(adapter.dispatch('last_by', 'meterhouse')(value, keys, condition)) }}
{%- endmacro %}

{% macro default__last_by(value, keys, condition) -%}
    (array_agg({{ value }} order by {{ keys | join(' desc, ') }} desc) filter (where {{ condition }}))[1]
{%- endmacro %}

{% macro duckdb__last_by(value, keys, condition) -%}
    arg_max({{ value }}, row({{ keys | join(', ') }})) filter (where {{ condition }})
{%- endmacro %}
