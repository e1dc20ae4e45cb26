{{
    committed_rows('ledger_close_organizations', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'as_of': 'timestamp',
        'known_batch_id': 'bigint',
        'code_version': 'varchar',
    })
}}
