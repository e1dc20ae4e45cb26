with

{#
  The book's transactions and those that rules of wallets made, in earlier closes and in this one. What a threshold rule
  makes is the last of its instant: what is invoiced then was the cause, and is not paid with it.
#}
transactions as (

    select
        transactions.organization_id,
        transactions.wallet_transaction_id,
        transactions.wallet_code,
        cast(null as integer) as rule_position,
        transactions.transaction_kind,
        transactions.transaction_name,
        transactions.created_at,
        transactions.settled_at,
        transactions.priority,
        transactions.position,
        2 as instant_rank,
        {# credits are cut after five decimals before anything else: docs/billing-rules.md, Wallets #}
        cast(trunc(transactions.credits * 100000) as {{ wide_integer() }}) as credits_e5
    from {{ ref('stg_book__wallet_transactions') }} as transactions
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            transactions.organization_id = close_scope.organization_id
            and transactions.created_at <= close_scope.as_of

    {% for top_ups in ['stg_ledger__wallet_top_ups', 'int_top_ups'] -%}
        union all

        select
            top_ups.organization_id,
            top_ups.wallet_transaction_id,
            top_ups.wallet_code,
            top_ups.rule_position,
            top_ups.transaction_kind,
            top_ups.transaction_name,
            top_ups.topped_up_at as created_at,
            cast(null as timestamp) as settled_at,
            cast(null as integer) as priority,
            {# after those of the book at the same instant #}
            1000000000 + top_ups.rule_position as position,
            case when top_ups.trigger_type = 'threshold' then 10 else 2 end as instant_rank,
            cast(top_ups.credits * 100000 as {{ wide_integer() }}) as credits_e5
        from {{ ref(top_ups) }} as top_ups

    {% endfor -%}

),

wallets as (

    select * from {{ ref('stg_book__wallets') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

asked as (

    select
        transactions.organization_id,
        transactions.wallet_transaction_id,
        transactions.wallet_code,
        transactions.rule_position,
        transactions.instant_rank,
        wallets.external_customer_id,
        transactions.transaction_kind,
        transactions.transaction_name,
        transactions.created_at,
        {# granted and voided credits count at once, bought ones when they are paid #}
        case
            when transactions.transaction_kind = 'purchased' then transactions.settled_at
            else coalesce(transactions.settled_at, transactions.created_at)
        end as settled_at,
        coalesce(transactions.priority, 50) as transaction_priority,
        transactions.position as book_position,
        coalesce(wallets.currency, customers.currency) as currency,
        currencies.exponent as currency_exponent,
        {{ power_of_ten('17 - currencies.exponent') }} as scale_of_product,
        transactions.credits_e5,
        {{ scaled_percent('wallets.rate_amount') }} as rate_e12
    from transactions
    inner join wallets
        on
            transactions.organization_id = wallets.organization_id
            and transactions.wallet_code = wallets.wallet_code
    inner join customers
        on
            wallets.organization_id = customers.organization_id
            and wallets.external_customer_id = customers.external_customer_id
    inner join currencies
        on coalesce(wallets.currency, customers.currency) = currencies.currency_code

),

valued as (

    select
        asked.*,
        {# what is above 15 digits of minor units has no amount: the gate holds its customer #}
        cast(case when asked.exact_cents < {{ power_of_ten(15) }} then asked.exact_cents end as bigint) as amount_cents
    from (
        select
            asked.*,
            {{ multiply_divide('asked.credits_e5', 'asked.rate_e12', 'asked.scale_of_product') }} as exact_cents
        from asked
    ) as asked

)

select
    valued.organization_id,
    valued.wallet_transaction_id,
    valued.wallet_code,
    valued.rule_position,
    valued.instant_rank,
    valued.external_customer_id,
    valued.transaction_kind,
    valued.transaction_name,
    valued.created_at,
    valued.settled_at,
    valued.transaction_priority,
    valued.book_position,
    valued.currency,
    cast(valued.currency_exponent as integer) as currency_exponent,
    valued.amount_cents,
    {# what comes in is whole minor units, turned back into credits; what is voided is taken as it was asked #}
    cast(
        case
            when valued.amount_cents is null then null
            when valued.transaction_kind = 'voided' then valued.credits_e5
            else {{ divide_half_away(
                'cast(valued.amount_cents as ' ~ wide_integer() ~ ') * valued.scale_of_product', 'valued.rate_e12'
            ) }}
        end as decimal(38, 0)
    ) as credits_e5
from valued
where valued.amount_cents > 0 or valued.amount_cents is null
