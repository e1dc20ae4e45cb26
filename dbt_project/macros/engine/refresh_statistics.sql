{# Statistics of a table that is filled in the running transaction: PostgreSQL has none until it is asked. #}
{% macro refresh_statistics(relation, round) %}
    {{ return(adapter.dispatch('refresh_statistics', 'meterhouse')(relation, round)) }}
{% endmacro %}

{% macro default__refresh_statistics(relation, round) %}{% endmacro %}

{% macro postgres__refresh_statistics(relation, round) %}
    {% if round in [1, 4, 16, 64, 256, 1024] %}{% do run_query('analyze ' ~ relation) %}{% endif %}
{% endmacro %}
