{%- set tables = [
    ref('ledger_balances'), ref('ledger_credit_note_items'), ref('ledger_credit_notes'), ref('ledger_event_fates'),
    ref('ledger_fee_tiers'), ref('ledger_fees'), ref('ledger_held_customers'), ref('ledger_invoice_taxes'),
    ref('ledger_invoice_voids'), ref('ledger_invoices'), ref('ledger_moment_fates'), ref('ledger_moments'),
    ref('ledger_parties'), ref('ledger_postings'), ref('ledger_restatements'), ref('ledger_triggered_alerts'),
    ref('ledger_standalone_fees'), ref('ledger_standalone_fee_taxes'), ref('ledger_unsettled_usage'),
    ref('ledger_wallet_moves'), ref('ledger_wallet_top_ups'),
] -%}
with

open_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

{# the texts are made from the contracts: what a ledger table has, its hashes cover #}
texts as (

    {% for table in tables -%}
        {%- set node = graph.nodes.get('model.meterhouse.' ~ table.identifier) if execute -%}
        {%- set columns = {'organization_id': 'varchar'} -%}
        {%- set key = {} -%}
        {%- for column in (node.columns.values() if node else []) if column.name != 'close_id' -%}
            {%- do columns.update({column.name: column.data_type}) -%}
            {%- if column.name in node.config.meta.grain and column.name != 'organization_id' -%}
                {%- do key.update({column.name: column.data_type}) -%}
            {%- endif -%}
        {%- endfor -%}
        select
            written.close_id,
            written.organization_id,
            '{{ table.identifier }}' as table_name,
            {{ canonical_row('written', key or {'organization_id': 'varchar'}) }} as row_key,
            {{ canonical_row('written', columns) }} as row_text
        from {{ table }} as written
        where written.close_id in (select open_scope.close_id from open_scope)
        {%- if not loop.last %}

            union all

        {% endif -%}
    {%- endfor %}

)

select
    texts.close_id,
    texts.organization_id,
    cast(texts.table_name as varchar) as table_name,
    texts.row_key,
    {{ sha256_text('texts.row_text') }} as row_hash
from texts
