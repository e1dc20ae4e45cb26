with

standings as (

    select * from {{ ref('int_wallet_standings') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

)

select
    standings.organization_id,
    standings.external_customer_id,
    standings.wallet_code,
    close_scope.as_of,
    standings.currency,
    standings.currency_exponent,
    standings.balance_cents,
    standings.credits_balance,
    standings.consumed_credits,
    standings.ongoing_usage_cents,
    standings.ongoing_balance_cents,
    standings.credits_ongoing_balance,
    standings.pending_credits
from standings
inner join close_scope
    on standings.organization_id = close_scope.organization_id
