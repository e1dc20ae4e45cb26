{{
    committed_rows('ledger_invoices', {
        'close_id': 'bigint',
        'invoice_id': 'varchar',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'invoice_type': 'varchar',
        'invoice_status': 'varchar',
        'invoice_number': 'varchar',
        'billing_at': 'timestamp',
        'instant_rank': 'integer',
        'order_key': 'varchar',
        'finalized_at': 'timestamp',
        'issuing_date': 'date',
        'payment_due_date': 'date',
        'net_payment_term': 'integer',
        'currency': 'varchar',
        'currency_exponent': 'integer',
        'fees_amount_cents': 'bigint',
        'coupons_amount_cents': 'bigint',
        'sub_total_including_taxes_amount_cents': 'bigint',
        'total_amount_cents': 'bigint',
    })
}}
