{{
    committed_rows('ledger_held_customers', {
        'close_id': 'bigint',
        'organization_id': 'varchar',
        'external_customer_id': 'varchar',
        'rule': 'varchar',
        'relation': 'varchar',
        'row_key': 'varchar',
    })
}}
