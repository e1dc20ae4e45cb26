{{
    committed_rows('ledger_event_fates', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'external_subscription_id': 'varchar',
        'code': 'varchar',
        'fate': 'varchar',
        'events_count': 'bigint',
    })
}}
