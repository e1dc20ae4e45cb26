with

balances as (

    select * from {{ ref('int_wallet_balances') }}

),

usage as (

    select
        wallet_usage.source_id,
        cast({{ divide_half_away('sum(wallet_usage.used_e10)', power_of_ten(10)) }} as bigint) as usage_cents
    from {{ ref('int_wallet_usage') }} as wallet_usage
    where wallet_usage.judgement_id = 'now'
    group by wallet_usage.source_id

),

{# bought, but not paid yet #}
awaited as (

    select
        transactions.organization_id,
        transactions.wallet_code,
        sum(transactions.credits_e5) as credits_e5
    from {{ ref('int_wallet_transactions_settled') }} as transactions
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            transactions.organization_id = close_scope.organization_id
            and coalesce(transactions.settled_at, {{ end_of_time() }}) > close_scope.as_of
            and coalesce(transactions.given_up_at, {{ end_of_time() }}) > close_scope.as_of
    where transactions.transaction_kind = 'purchased'
    group by transactions.organization_id, transactions.wallet_code

)

{# what is left after the usage that is not invoiced yet; the last open wallet may go below nothing #}
select
    balances.organization_id,
    balances.external_customer_id,
    balances.wallet_code,
    balances.source_id,
    balances.filling_id,
    balances.currency,
    balances.currency_exponent,
    balances.balance_cents,
    balances.credits_balance,
    balances.consumed_credits,
    coalesce(usage.usage_cents, 0) as ongoing_usage_cents,
    balances.balance_cents - coalesce(usage.usage_cents, 0) as ongoing_balance_cents,
    cast(
        balances.credits_balance - {{ e5_to_decimal(divide_half_away(
            'cast(coalesce(usage.usage_cents, 0) as ' ~ wide_integer() ~ ') * balances.scale_of_product',
            'balances.rate_e12'
        )) }} as decimal(38, 5)
    ) as credits_ongoing_balance,
    {{ e5_to_decimal('coalesce(awaited.credits_e5, 0)') }} as pending_credits
from balances
left join usage
    on balances.source_id = usage.source_id
left join awaited
    on
        balances.organization_id = awaited.organization_id
        and balances.wallet_code = awaited.wallet_code
