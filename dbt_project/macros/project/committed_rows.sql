{#
  The rows of a ledger table that committed closes wrote, or no rows of the same columns before the first close.

  Not ref(): billing reads what earlier closes finalised, which is no dependency within one run.
  `columns` maps column name to type. A column that the table of an older version has not got yet is null.
#}
{% macro committed_rows(table, columns) -%}
    {%- set ledger_schema = generate_schema_name('ledger', none) -%}
    {%- set relation = api.Relation.create(database=target.database, schema=ledger_schema, identifier=table) -%}
    {%- set closes = api.Relation.create(database=target.database, schema=ledger_schema, identifier='closes') -%}
    {%- if execute and load_relation(relation) and load_relation(closes) -%}
    {%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    select
        {%- for column, type in columns.items() %}
        {% if column in present %}ledger.{{ column }}{% else %}cast(null as {{ type }}) as {{ column }}{% endif %}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ relation }} as ledger
    inner join {{ closes }} as closes
        on ledger.close_id = closes.close_id
    {%- else -%}
    select
        {%- for column, type in columns.items() %}
        cast(null as {{ type }}) as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    where false
    {%- endif -%}
{%- endmacro %}
