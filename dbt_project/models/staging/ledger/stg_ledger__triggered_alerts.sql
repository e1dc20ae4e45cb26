{{
    committed_rows('ledger_triggered_alerts', {
        'close_id': 'bigint',
        'triggered_alert_id': 'varchar',
        'organization_id': 'varchar',
        'alert_code': 'varchar',
        'alert_period': 'varchar',
        'is_recurring': 'boolean',
        'recurring_level': 'bigint',
    })
}}
