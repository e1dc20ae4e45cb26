{{
    committed_rows('ledger_restatements', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'restatement_id': 'varchar',
        'moment_id': 'varchar',
        'fee_id': 'varchar',
        'units_difference': 'decimal(38,12)',
        'events_count_difference': 'bigint',
        'difference_amount_cents': 'bigint',
        'settled_amount_cents': 'bigint',
    })
}}
