with

wallet_targets as (

    {{ known_children('wallet_targets', 'wallets', ['wallet_code']) }}

)

select
    wallet_targets.organization_id,
    wallet_targets.wallet_code,
    wallet_targets.target_type,
    wallet_targets.target_code,
    wallet_targets.batch_id
from wallet_targets
