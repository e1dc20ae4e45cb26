{#
  The commit row. Rows of the ledger count only when their close has a row in `closes`, which is written last.

  Not ref(): the first ledger model would depend on the last one, a cycle.
#}
{% macro committed_closes() %}
    {{ return(api.Relation.create(database=this.database, schema=this.schema, identifier='closes')) }}
{% endmacro %}

{# Pre-hook of every ledger table: what a killed close left behind goes, in the transaction of the next insert. #}
{% macro drop_uncommitted() %}
    {%- if execute and load_relation(this) -%}
        delete from {{ this }}
        {%- if load_relation(committed_closes()) %}
        where close_id not in (select closes.close_id from {{ committed_closes() }} as closes)
        {%- endif -%}
    {%- else -%}
        select 1
    {%- endif -%}
{% endmacro %}

{# The ledger table itself, as earlier closes left it; an empty relation of the same columns before the first. #}
{% macro ledger_so_far() -%}
    {%- if is_incremental() -%}
    {{ this }}
    {%- else -%}
    (
        select
            {%- for column in model['columns'].values() %}
            cast(null as {{ column['data_type'] }}) as {{ column['name'] }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        where false
    )
    {%- endif -%}
{%- endmacro %}

{# A condition that is false once the close has its commit row, so that running a committed close again adds nothing. #}
{% macro is_close_open(close_id) -%}
    {%- if execute and load_relation(committed_closes()) -%}
    {{ close_id }} not in (select closes.close_id from {{ committed_closes() }} as closes)
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
