{#
  What closes before this one have settled, as literals, so that the engine skips it: `from_at`, the earliest instant from
  which an organisation in scope has usage that is not billed, and `batch`, the newest landing batch that all of them knew
  then. None when an organisation was never closed, or is looked at as it was before its newest close.
#}
{% macro settled_bounds() -%}
    {%- set ledger = generate_schema_name('ledger', none) -%}
    {%- set unsettled = api.Relation.create(
        database=target.database, schema=ledger, identifier='ledger_unsettled_usage'
    ) -%}
    {%- set closes = api.Relation.create(database=target.database, schema=ledger, identifier='closes') -%}
    {%- set scope = api.Relation.create(
        database=target.database, schema=generate_schema_name('raw', none), identifier='close_scope'
    ) -%}
    {%- if not execute or not load_relation(unsettled) or not load_relation(closes) or not load_relation(scope) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set sql -%}
        with

        newest as (

            select
                unsettled.organization_id,
                unsettled.open_from_at,
                unsettled.known_batch_id,
                row_number() over (partition by unsettled.organization_id order by unsettled.close_id desc) as recency
            from {{ unsettled }} as unsettled
            inner join {{ closes }} as closes
                on unsettled.close_id = closes.close_id
            where unsettled.code is null

        )

        select
            cast(min(newest.open_from_at) as varchar) as from_at,
            min(newest.known_batch_id) as batch_id,
            count(*) - count(newest.organization_id) as unknown_count
        from {{ scope }} as scope
        left join newest
            on
                scope.organization_id = newest.organization_id
                and newest.recency = 1
                and scope.known_batch_id >= newest.known_batch_id
    {%- endset -%}
    {%- set row = run_query(sql).rows[0] -%}
    {%- if row[0] is none or row[2] | int > 0 -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return({'from_at': row[0], 'batch': row[1] | int}) }}
{%- endmacro %}

{#
  The same, with `kept_from_at`, the earliest instant before `from_at` that is read again nevertheless (kept_codes), none
  when nothing is.
#}
{% macro recorded_bounds() -%}
    {%- set bounds = settled_bounds() -%}
    {%- if bounds is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set kept_sql -%}
        select cast(min(kept.kept_from_at) as varchar) as kept_from_at
        from (
            {{ kept_codes(
                bounds.from_at,
                api.Relation.create(
                    database=target.database, schema=generate_schema_name('staging', none),
                    identifier='stg_ledger__unsettled_usage'
                ),
                api.Relation.create(
                    database=target.database, schema=generate_schema_name('intermediate', none),
                    identifier='int_metered_charges'
                )
            ) }}
        ) as kept
    {%- endset -%}
    {%- do bounds.update({'kept_from_at': run_query(kept_sql).rows[0][0]}) -%}
    {{ return(bounds) }}
{%- endmacro %}
