{#
  The newest landing batch that the last closes of all organisations in scope knew, as a number: what was landed up to it
  has been looked at, so that the engine can skip it. 0 before the first close.
#}
{% macro closed_batch() -%}
    {%- set ledger = generate_schema_name('ledger', none) -%}
    {%- set closed = api.Relation.create(
        database=target.database, schema=ledger, identifier='ledger_close_organizations'
    ) -%}
    {%- set closes = api.Relation.create(database=target.database, schema=ledger, identifier='closes') -%}
    {%- set scope = api.Relation.create(
        database=target.database, schema=generate_schema_name('raw', none), identifier='close_scope'
    ) -%}
    {%- if not execute or not load_relation(closed) or not load_relation(scope) -%}
        {{ return(0) }}
    {%- endif -%}
    {%- set sql -%}
        select coalesce(min(coalesce(closed.known_batch_id, 0)), 0) as batch_id
        from {{ scope }} as scope
        left join (
            select
                organizations.organization_id,
                max(organizations.known_batch_id) as known_batch_id
            from {{ closed }} as organizations
            inner join {{ closes }} as closes
                on organizations.close_id = closes.close_id
            group by organizations.organization_id
        ) as closed
            on scope.organization_id = closed.organization_id
    {%- endset -%}
    {{ return(run_query(sql).rows[0][0] | int) }}
{%- endmacro %}
