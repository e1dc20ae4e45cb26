{{
    committed_rows('ledger_moments', {
        'organization_id': 'varchar',
        'moment_id': 'varchar',
        'invoice_id': 'varchar',
        'external_customer_id': 'varchar',
        'external_subscription_id': 'varchar',
        'known_batch_id': 'bigint',
        'subscription_created_at': 'timestamp',
        'reason': 'varchar',
        'billing_at': 'timestamp',
        'usage_from_at': 'timestamp',
        'usage_to_at': 'timestamp',
        'close_id': 'bigint',
    })
}}
