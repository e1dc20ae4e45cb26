{{
    committed_rows('ledger_restatements', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'restatement_id': 'varchar',
        'moment_id': 'varchar',
        'fee_id': 'varchar',
        'fee_type': 'varchar',
        'fee_code': 'varchar',
        'fee_name': 'varchar',
        'billable_metric_code': 'varchar',
        'filter_values': 'varchar',
        'group_values': 'varchar',
        'from_date': 'date',
        'to_date': 'date',
        'currency': 'varchar',
        'currency_exponent': 'integer',
        'units_difference': 'decimal(38,12)',
        'events_count_difference': 'bigint',
        'difference_amount_cents': 'bigint',
        'settled_amount_cents': 'bigint',
        'next_moment_id': 'varchar',
    })
}}
