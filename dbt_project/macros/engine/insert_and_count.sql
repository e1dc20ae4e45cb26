{# Inserts the rows of a query and returns how many; the adapters report that differently. #}
{% macro insert_and_count(relation, columns, query) %}
    {{ return(adapter.dispatch('insert_and_count', 'meterhouse')(relation, columns, query)) }}
{% endmacro %}

{% macro default__insert_and_count(relation, columns, query) %}
    {% call statement('insert_and_count', fetch_result=False) -%}
        insert into {{ relation }} ({{ columns }}) {{ query }}
    {%- endcall %}
    {{ return(load_result('insert_and_count').response.rows_affected) }}
{% endmacro %}

{# DuckDB answers an insert with one row that holds the count. #}
{% macro duckdb__insert_and_count(relation, columns, query) %}
    {% call statement('insert_and_count', fetch_result=True) -%}
        insert into {{ relation }} ({{ columns }}) {{ query }}
    {%- endcall %}
    {{ return(load_result('insert_and_count').data[0][0]) }}
{% endmacro %}
