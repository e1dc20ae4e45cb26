with

wallets as (

    {{ known_records('wallets', ['wallet_code']) }}

)

select
    wallets.organization_id,
    wallets.wallet_code,
    wallets.wallet_name,
    wallets.external_customer_id,
    wallets.rate_amount,
    wallets.currency,
    wallets.created_at,
    wallets.expiration_at,
    wallets.terminated_at,
    wallets.priority,
    wallets.paid_top_up_min_amount_cents,
    wallets.paid_top_up_max_amount_cents,
    wallets.position,
    wallets.batch_id,
    wallets.source_file,
    wallets.source_line
from wallets
