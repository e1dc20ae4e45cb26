{# Aggregate: the value of the row that is last in the order of `keys`; rows without a value do not count. #}
{% macro last_by(value, keys) -%}
    {{ return(adapter.dispatch('last_by', 'meterhouse')(value, keys)) }}
{%- endmacro %}

{% macro default__last_by(value, keys) -%}
    (array_agg({{ value }} order by {{ keys | join(' desc, ') }} desc) filter (where {{ value }} is not null))[1]
{%- endmacro %}

{% macro duckdb__last_by(value, keys) -%}
    {#- the row of keys is made, and put in order, only where there is a value -#}
    arg_max({{ value }}, case when {{ value }} is not null then row({{ keys | join(', ') }}) end)
        filter (where {{ value }} is not null)
{%- endmacro %}
