{#
  Before which instant of usage, and from which instant of arrival on, an event can be late at all, as text: with them as
  literals the engine skips what lies outside. Null before the model `int_billing_moments` is built.
#}
{% macro late_edges() -%}
    {%- set moments = api.Relation.create(
        database=target.database, schema=generate_schema_name('intermediate', none), identifier='int_billing_moments'
    ) -%}
    {%- if not execute or not load_relation(moments) -%}
        {{ return((none, none)) }}
    {%- endif -%}
    {%- set sql -%}
        select
            cast(
                max(case when moments.moment_state = 'finalized' then moments.usage_to_at end) as varchar
            ) as finalized_to_at,
            cast(
                min(
                    case
                        when moments.moment_state = 'due' then greatest(moments.finalizes_at, moments.usage_to_at)
                    end
                ) as varchar
            ) as first_due_at
        from {{ moments }} as moments
    {%- endset -%}
    {%- set row = run_query(sql).rows[0] -%}
    {{ return((row[0], row[1])) }}
{%- endmacro %}
