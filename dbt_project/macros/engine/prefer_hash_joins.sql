{#
  For one statement: joins by hashing. PostgreSQL multiplies the selectivities of keys of several columns, takes the
  result for one row and loops over whole tables for each; DuckDB hashes anyway.
#}
{% macro prefer_hash_joins() %}
    {{- return(adapter.dispatch('prefer_hash_joins', 'meterhouse')()) -}}
{% endmacro %}

{% macro default__prefer_hash_joins() %}{% endmacro %}

{% macro postgres__prefer_hash_joins() %}set local enable_nestloop = off{% endmacro %}
