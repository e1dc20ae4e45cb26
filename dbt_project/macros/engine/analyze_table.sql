{# Statistics of a table that was just built, for what joins it next: PostgreSQL has none until it is asked. #}
{% macro analyze_table(relation) %}
    {{- return(adapter.dispatch('analyze_table', 'meterhouse')(relation)) -}}
{% endmacro %}

{% macro default__analyze_table(relation) %}{% endmacro %}

{% macro postgres__analyze_table(relation) %}analyze {{ relation }}{% endmacro %}
