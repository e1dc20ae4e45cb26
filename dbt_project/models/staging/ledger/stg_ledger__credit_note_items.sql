{{
    committed_rows('ledger_credit_note_items', {
        'close_id': 'bigint',
        'credit_note_id': 'varchar',
        'organization_id': 'varchar',
        'invoice_id': 'varchar',
        'fee_id': 'varchar',
        'precise_amount_cents': 'decimal(38,5)',
    })
}}
