{# An index for what a round reads of the round before it; DuckDB finds those rows by their place in the table. #}
{% macro index_rounds(relation) %}
    {{ return(adapter.dispatch('index_rounds', 'meterhouse')(relation)) }}
{% endmacro %}

{% macro default__index_rounds(relation) %}{% endmacro %}

{% macro postgres__index_rounds(relation) %}
    {% call statement('index_rounds') -%}
        create index on {{ relation }} (round_no)
    {%- endcall %}
{% endmacro %}
