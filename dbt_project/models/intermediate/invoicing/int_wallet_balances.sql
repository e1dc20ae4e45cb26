{# What is in each wallet that is open at the end of the close, and which of its customer's wallets pays before it. #}
with

wallets as (

    select wallets.*
    from {{ ref('int_wallets') }} as wallets
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            wallets.organization_id = close_scope.organization_id
            and wallets.ended_at > close_scope.as_of

),

{# this close records a balance that it touched, an earlier one the others #}
touched as (

    select * from {{ ref('int_balances') }}
    where source_type = 'wallet'

),

recorded as (

    select * from {{ ref('stg_ledger__balances') }}
    where source_type = 'wallet'

),

{# a wallet is filled anew with each credit that comes in #}
fillings as (

    select
        moves.source_id,
        moves.wallet_move_id,
        moves.moved_at,
        moves.move_order
    from {{ ref('int_wallet_moves') }} as moves
    where moves.move_kind in ('granted', 'purchased', 'recredited')

    union all

    select
        wallets.source_id,
        moves.wallet_move_id,
        moves.moved_at,
        moves.move_order
    from {{ ref('stg_ledger__wallet_moves') }} as moves
    inner join wallets
        on
            moves.organization_id = wallets.organization_id
            and moves.wallet_code = wallets.wallet_code
    where moves.move_kind in ('granted', 'purchased', 'recredited')

),

newest_fillings as (

    select
        fillings.source_id,
        fillings.wallet_move_id,
        row_number() over (
            partition by fillings.source_id
            order by
                fillings.moved_at desc, fillings.move_order desc, {{ binary_order('fillings.wallet_move_id') }}
        ) as place
    from fillings

)

select
    wallets.organization_id,
    wallets.external_customer_id,
    wallets.wallet_code,
    wallets.source_id,
    wallets.currency,
    wallets.currency_exponent,
    wallets.rate_e12,
    wallets.scale_of_product,
    wallets.is_limited,
    coalesce(newest_fillings.wallet_move_id, '') as filling_id,
    cast(coalesce(touched.balance_cents, recorded.balance_cents, 0) as bigint) as balance_cents,
    cast(coalesce(touched.credits_balance, recorded.credits_balance, 0) as decimal(38, 5)) as credits_balance,
    cast(coalesce(touched.consumed_credits, recorded.consumed_credits, 0) as decimal(38, 5)) as consumed_credits,
    cast(
        row_number() over (
            partition by wallets.organization_id, wallets.external_customer_id, wallets.currency
            order by wallets.source_order
        ) as integer
    ) as wallet_place
from wallets
left join touched
    on wallets.source_id = touched.source_id
left join recorded
    on wallets.source_id = recorded.source_id
left join newest_fillings
    on
        wallets.source_id = newest_fillings.source_id
        and newest_fillings.place = 1
