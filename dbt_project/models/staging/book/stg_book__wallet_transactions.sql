with

wallet_transactions as (

    {{ known_records('wallet_transactions', ['wallet_transaction_id']) }}

)

select
    wallet_transactions.organization_id,
    wallet_transactions.wallet_transaction_id,
    wallet_transactions.wallet_code,
    wallet_transactions.transaction_kind,
    wallet_transactions.credits,
    wallet_transactions.created_at,
    wallet_transactions.settled_at,
    wallet_transactions.priority,
    wallet_transactions.transaction_name,
    wallet_transactions.position,
    wallet_transactions.batch_id,
    wallet_transactions.source_file,
    wallet_transactions.source_line
from wallet_transactions
