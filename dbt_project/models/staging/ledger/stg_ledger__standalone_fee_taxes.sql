{{
    committed_rows('ledger_standalone_fee_taxes', {
        'close_id': 'bigint',
        'fee_id': 'varchar',
        'organization_id': 'varchar',
        'tax_code': 'varchar',
        'tax_name': 'varchar',
        'tax_rate': 'decimal(21,12)',
    })
}}
