{{
    committed_rows('ledger_fees', {
        'close_id': 'bigint',
        'fee_id': 'varchar',
        'invoice_id': 'varchar',
        'moment_id': 'varchar',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'external_subscription_id': 'varchar',
        'fee_type': 'varchar',
        'fee_code': 'varchar',
        'filter_values': 'varchar',
        'group_values': 'varchar',
        'from_date': 'date',
        'to_date': 'date',
        'amount_cents': 'bigint',
        'precise_amount_cents': 'decimal(38,15)',
        'precise_coupons_amount_cents': 'decimal(38,5)',
        'taxes_rate': 'decimal(21,12)',
        'taxes_amount_cents': 'bigint',
    })
}}
