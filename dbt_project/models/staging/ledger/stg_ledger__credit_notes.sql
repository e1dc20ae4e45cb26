{{
    committed_rows('ledger_credit_notes', {
        'close_id': 'bigint',
        'credit_note_id': 'varchar',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'invoice_id': 'varchar',
        'request_kind': 'varchar',
        'credit_note_code': 'varchar',
        'issued_at': 'timestamp',
        'issue_order': 'bigint',
        'currency': 'varchar',
        'credit_amount_cents': 'bigint',
        'refund_amount_cents': 'bigint',
        'offset_amount_cents': 'bigint',
        'taxes_amount_cents': 'bigint',
        'precise_taxes_amount_cents': 'decimal(38,5)',
        'total_amount_cents': 'bigint',
    })
}}
