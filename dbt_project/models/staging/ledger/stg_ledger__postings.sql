{{
    committed_rows('ledger_postings', {
        'close_id': 'bigint',
        'invoice_id': 'varchar',
        'organization_id': 'varchar',
        'posting_kind': 'varchar',
        'source_id': 'varchar',
        'amount_cents': 'bigint',
    })
}}
