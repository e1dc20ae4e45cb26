{# No wallet is consumed beyond what it holds, at any movement; each movement leads from one balance to the next. #}
with

balanced as (

    select
        moves.wallet_move_id,
        moves.balance_cents,
        moves.amount_cents,
        lag(moves.balance_cents, 1, cast(0 as bigint)) over (
            partition by moves.organization_id, moves.wallet_code
            order by moves.close_id, moves.move_order
        ) as balance_before_cents
    from {{ ref('fct_wallet_transaction') }} as moves

)

select
    balanced.wallet_move_id,
    balanced.balance_before_cents,
    balanced.amount_cents,
    balanced.balance_cents
from balanced
where
    balanced.balance_cents < 0
    or balanced.balance_before_cents + balanced.amount_cents <> balanced.balance_cents
