{{
    committed_rows('ledger_close_organizations', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'known_batch_id': 'bigint',
        'code_version': 'varchar',
    })
}}
