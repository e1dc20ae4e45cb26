{{
    committed_rows('ledger_invoice_voids', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'invoice_void_id': 'varchar',
        'invoice_id': 'varchar',
        'voided_at': 'timestamp',
        'regenerated_invoice_id': 'varchar',
    })
}}
