{{
    committed_rows('ledger_wallet_moves', {
        'close_id': 'bigint',
        'wallet_move_id': 'varchar',
        'organization_id': 'varchar',
        'wallet_code': 'varchar',
        'move_kind': 'varchar',
        'wallet_transaction_id': 'varchar',
        'moved_at': 'timestamp',
        'move_order': 'bigint',
    })
}}
