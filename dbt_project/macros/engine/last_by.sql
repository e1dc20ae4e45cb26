{# Aggregate: the value of the row that is last in the order of `keys`; rows without a value do not count. #}
{% macro last_by(value, keys) -%}
    {{ return(adapter.dispatch('last_by', 'meterhouse')(value, keys)) }}
{%- endmacro %}

{% macro default__last_by(value, keys) -%}
    (array_agg({{ value }} order by {{ keys | join(' desc, ') }} desc) filter (where {{ value }} is not null))[1]
{%- endmacro %}

{% macro duckdb__last_by(value, keys) -%}
    {#- by a filter, not by a case: rows without a value are left out before the keys are put in order -#}
    arg_max({{ value }}, row({{ keys | join(', ') }})) filter (where {{ value }} is not null)
{%- endmacro %}
