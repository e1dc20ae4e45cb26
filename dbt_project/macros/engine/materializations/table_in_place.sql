{#
  A table in DuckDB: dropped and made again in one transaction, in place. dbt's own way builds it beside the old one and
  renames twice, which takes as long as the small models themselves. A contract is compared with the columns of the table
  that was made, before the transaction ends, so that the query is planned once. The hooks of tables are for PostgreSQL's planner
  (prefer_hash_joins, analyze_table) and have no text here, so they are not run.
#}
{% materialization table, adapter='duckdb' %}

    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {% call statement('main') -%}
        {% if existing_relation is not none %}drop {{ existing_relation.type }} if exists {{ existing_relation }};{% endif %}
        create table {{ target_relation }} as (
            {{ compiled_code }}
        )
    {%- endcall %}
    {% if config.get('contract').enforced %}
        {% do get_assert_columns_equivalent('select * from ' ~ target_relation) %}
    {% endif %}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
