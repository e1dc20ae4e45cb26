{#
  Append to a table in DuckDB, which knows no temporary step between: the rows go in by one insert, columns by name. The
  first run makes the table from its contract, a full refresh makes it anew (never one of the ledger, which is configured
  so); a column that came since is added, as `append_new_columns` would.
#}
{% materialization incremental, adapter='duckdb' %}

    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set is_made = existing_relation is none or should_full_refresh() -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set columns = model['columns'].values() | list -%}
    {%- set names = columns | map(attribute='name') | join(', ') -%}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if not is_made %}
        {%- set present = adapter.get_columns_in_relation(existing_relation) | map(attribute='name') | list -%}
        {% for column in columns if column['name'] not in present %}
            {% call statement('add_column') -%}
                alter table {{ target_relation }} add column {{ column['name'] }} {{ column['data_type'] }}
            {%- endcall %}
        {% endfor %}
        {% do get_assert_columns_equivalent(compiled_code) %}
    {% endif %}
    {% call statement('main') -%}
        {% if is_made -%}
            {% if existing_relation is not none %}drop {{ existing_relation.type }} {{ existing_relation }};{% endif %}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- else -%}
            insert into {{ target_relation }} ({{ names }}) select {{ names }} from ({{ compiled_code }})
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
