with

recorded as (

    {{
        committed_rows('ledger_balances', {
            'close_id': 'bigint',
            'organization_id': 'varchar',
            'external_customer_id': 'varchar',
            'source_type': 'varchar',
            'source_id': 'varchar',
            'currency': 'varchar',
            'origin_invoice_id': 'varchar',
            'balance_cents': 'bigint',
            'periods_left': 'integer',
            'credits_balance': 'decimal(38,5)',
            'consumed_credits': 'decimal(38,5)',
            'is_live': 'boolean',
        })
    }}

),

newest as (

    select
        recorded.organization_id,
        recorded.source_type,
        recorded.source_id,
        max(recorded.close_id) as close_id
    from recorded
    group by recorded.organization_id, recorded.source_type, recorded.source_id

)

{# a close records only the balances that it touched: the newest row of a source is its state #}
select recorded.*
from recorded
inner join newest
    on
        recorded.organization_id = newest.organization_id
        and recorded.source_type = newest.source_type
        and recorded.source_id = newest.source_id
        and recorded.close_id = newest.close_id
