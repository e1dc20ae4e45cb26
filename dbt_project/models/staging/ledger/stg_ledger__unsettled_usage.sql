with

unsettled as (

    {{
        committed_rows('ledger_unsettled_usage', {
            'close_id': 'bigint',
            'organization_id': 'varchar',
            'external_subscription_id': 'varchar',
            'code': 'varchar',
            'open_from_at': 'timestamp',
            'open_to_at': 'timestamp',
            'known_batch_id': 'bigint',
        }) | indent(4)
    }}

)

select
    unsettled.*,
    unsettled.close_id = max(unsettled.close_id) over (partition by unsettled.organization_id) as is_newest
from unsettled
