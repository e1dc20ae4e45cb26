with

moves as (

    select moves.*
    from {{ ref('int_wallet_moves') }} as moves
    left join {{ ref('gate_held_customers') }} as held
        on
            moves.organization_id = held.organization_id
            and moves.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('moves.close_id') }}

)

select
    moves.close_id,
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
    moves.credits_balance
from moves
