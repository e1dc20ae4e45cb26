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

{#
  Of subscriptions with events that the closes before knew and that may be late: the oldest batch that a last invoice knew,
  and the earliest instant at which one was billed. What came neither after the one nor at or after the other is decided
  for all of them, so that the engine skips it. None where there is no such subscription with an invoice.
#}
{% macro undecided_edges() -%}
    {%- set moments = api.Relation.create(
        database=target.database, schema=generate_schema_name('intermediate', none), identifier='int_billing_moments'
    ) -%}
    {%- set fates = api.Relation.create(
        database=target.database, schema=generate_schema_name('staging', none), identifier='stg_ledger__event_fates'
    ) -%}
    {%- if not execute or not load_relation(moments) or not load_relation(fates) -%}
        {{ return({'batch': none, 'billed_at': none}) }}
    {%- endif -%}
    {%- set sql -%}
        select
            min(last_invoices.known_batch_id) as known_batch_id,
            cast(min(last_invoices.billed_at) as varchar) as billed_at
        from (
            select
                moments.organization_id,
                moments.external_subscription_id,
                max(moments.known_batch_id) as known_batch_id,
                max(greatest(moments.finalizes_at, moments.usage_to_at)) as billed_at
            from {{ moments }} as moments
            where moments.moment_state = 'finalized' and moments.is_invoiced
            group by moments.organization_id, moments.external_subscription_id
        ) as last_invoices
        inner join {{ fates }} as fates
            on
                last_invoices.organization_id = fates.organization_id
                and last_invoices.external_subscription_id = fates.external_subscription_id
                and fates.fate in {{ late_fates() }}
    {%- endset -%}
    {%- set row = run_query(sql).rows[0] -%}
    {{ return({'batch': row[0], 'billed_at': row[1]}) }}
{%- endmacro %}
