with

moves as (

    select * from {{ ref('ledger_wallet_moves') }}

),

closes as (

    select * from {{ ref('closes') }}

)

select
    moves.wallet_move_id,
    moves.organization_id,
    moves.external_customer_id,
    moves.wallet_code,
    moves.move_kind,
    moves.wallet_transaction_id,
    moves.invoice_id,
    moves.moved_at,
    moves.move_order,
    moves.currency,
    moves.amount_cents,
    moves.credits,
    moves.balance_cents,
    moves.credits_balance,
    moves.close_id
from moves
inner join closes
    on moves.close_id = closes.close_id
