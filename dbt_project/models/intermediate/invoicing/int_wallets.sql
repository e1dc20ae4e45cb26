with

wallets as (

    select wallets.*
    from {{ ref('stg_book__wallets') }} as wallets
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            wallets.organization_id = close_scope.organization_id
            and wallets.created_at <= close_scope.as_of

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

targets as (

    select
        wallet_targets.organization_id,
        wallet_targets.wallet_code,
        count(*) as targets_count
    from {{ ref('stg_book__wallet_targets') }} as wallet_targets
    group by wallet_targets.organization_id, wallet_targets.wallet_code

),

dated as (

    select
        wallets.*,
        least(
            coalesce(wallets.expiration_at, {{ end_of_time() }}), coalesce(wallets.terminated_at, {{ end_of_time() }})
        ) as ended_at,
        coalesce(wallets.currency, customers.currency) as wallet_currency
    from wallets
    inner join customers
        on
            wallets.organization_id = customers.organization_id
            and wallets.external_customer_id = customers.external_customer_id

)

{# by priority, 1 first, then by age: docs/billing-rules.md, Wallets #}
select
    dated.organization_id,
    dated.wallet_code,
    {{ surrogate_key(['dated.organization_id', 'dated.wallet_code']) }} as source_id,
    dated.wallet_name,
    dated.external_customer_id,
    dated.rate_amount,
    {{ scaled_percent('dated.rate_amount') }} as rate_e12,
    dated.wallet_currency as currency,
    cast(currencies.exponent as integer) as currency_exponent,
    {{ power_of_ten('17 - currencies.exponent') }} as scale_of_product,
    dated.created_at,
    dated.expiration_at,
    dated.terminated_at,
    dated.ended_at,
    case when dated.expiration_at = dated.ended_at then 'expired' else 'terminated' end as end_kind,
    coalesce(targets.targets_count, 0) > 0 as is_limited,
    row_number() over (
        partition by dated.organization_id, dated.external_customer_id
        order by
            coalesce(dated.priority, 50), dated.created_at, dated.position, {{ binary_order('dated.wallet_code') }}
    ) as source_order
from dated
inner join currencies
    on dated.wallet_currency = currencies.currency_code
left join targets
    on
        dated.organization_id = targets.organization_id
        and dated.wallet_code = targets.wallet_code
