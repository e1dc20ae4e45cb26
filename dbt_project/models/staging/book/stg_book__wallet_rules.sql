with

wallet_rules as (

    {{ known_children('wallet_rules', 'wallets', ['wallet_code']) }}

)

select
    wallet_rules.organization_id,
    wallet_rules.wallet_code,
    wallet_rules.rule_position,
    wallet_rules.trigger_type,
    wallet_rules.rule_interval,
    wallet_rules.threshold_credits,
    wallet_rules.method,
    wallet_rules.paid_credits,
    wallet_rules.granted_credits,
    wallet_rules.target_ongoing_balance,
    wallet_rules.started_at,
    wallet_rules.expiration_at,
    wallet_rules.transaction_name,
    wallet_rules.batch_id
from wallet_rules
