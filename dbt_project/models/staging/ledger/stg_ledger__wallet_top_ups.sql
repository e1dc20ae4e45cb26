{{
    committed_rows('ledger_wallet_top_ups', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'wallet_transaction_id': 'varchar',
        'wallet_code': 'varchar',
        'rule_position': 'integer',
        'trigger_type': 'varchar',
        'transaction_kind': 'varchar',
        'transaction_name': 'varchar',
        'topped_up_at': 'timestamp',
        'credits': 'decimal(38,5)',
    })
}}
