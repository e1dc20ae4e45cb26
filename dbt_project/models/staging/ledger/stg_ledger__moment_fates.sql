{{
    committed_rows('ledger_moment_fates', {
        'close_id': 'bigint',
        'moment_id': 'varchar',
        'organization_id': 'varchar',
        'external_subscription_id': 'varchar',
        'code': 'varchar',
        'fate': 'varchar',
        'events_count': 'bigint',
    })
}}
