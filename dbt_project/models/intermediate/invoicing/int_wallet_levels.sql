{#
  What is in the open wallets of a customer at each instant at which what is left of one of them is judged, with the
  purchases that are not paid yet: the end of the close ('now'), and for the rules that top wallets up (docs/billing-rules.md,
  Top-ups by rule) the end of each hour with usage, each move of a wallet, the end of a wait for a payment, the beginning of a
  rule, and the instants of interval rules that fill up to a target.
#}
with

rules as (

    select * from {{ ref('int_top_up_rules') }}
    where is_judged

),

threshold_customers as (

    select distinct
        rules.organization_id,
        rules.external_customer_id
    from rules
    where rules.trigger_type = 'threshold'

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

wallets as (

    select * from {{ ref('int_wallets') }}

),

moves as (

    select * from {{ ref('int_wallet_moves') }}

),

transactions as (

    select * from {{ ref('int_wallet_transactions_settled') }}

),

recorded as (

    select * from {{ ref('stg_ledger__balances') }}
    where source_type = 'wallet'

),

candidates as (

    select
        windows.organization_id,
        customers.payer_external_customer_id as external_customer_id,
        windows.window_at as judged_at
    from {{ ref('int_usage_windows') }} as windows
    inner join {{ ref('int_billing_moments') }} as moments
        on windows.period_moment_id = moments.moment_id
    inner join customers
        on
            moments.organization_id = customers.organization_id
            and moments.external_customer_id = customers.external_customer_id
    inner join threshold_customers
        on
            customers.organization_id = threshold_customers.organization_id
            and customers.payer_external_customer_id = threshold_customers.external_customer_id
    {# the instants of a plan's usage thresholds are none of a wallet's #}
    where windows.is_hour_end

    union

    select
        moves.organization_id,
        moves.external_customer_id,
        moves.moved_at as judged_at
    from moves
    inner join threshold_customers
        on
            moves.organization_id = threshold_customers.organization_id
            and moves.external_customer_id = threshold_customers.external_customer_id

    union

    select
        transactions.organization_id,
        transactions.external_customer_id,
        transactions.given_up_at as judged_at
    from transactions
    inner join threshold_customers
        on
            transactions.organization_id = threshold_customers.organization_id
            and transactions.external_customer_id = threshold_customers.external_customer_id
    where transactions.given_up_at is not null

    union

    select
        rules.organization_id,
        rules.external_customer_id,
        rules.begins_at as judged_at
    from rules
    where rules.trigger_type = 'threshold'

),

{#
  A threshold is looked at last of what happens at an instant, an interval's target with the facts of the wallets, before
  renewals (docs/book.md, "Within a day").
#}
instants as (

    select
        candidates.organization_id,
        candidates.external_customer_id,
        candidates.judged_at,
        10 as instant_rank
    from candidates

    union

    select
        rules.organization_id,
        rules.external_customer_id,
        dates.topped_up_at as judged_at,
        2 as instant_rank
    from rules
    inner join {{ ref('int_top_up_dates') }} as dates
        on
            rules.organization_id = dates.organization_id
            and rules.wallet_code = dates.wallet_code
            and rules.rule_position = dates.rule_position

),

judged_to as (

    select
        rules.organization_id,
        rules.external_customer_id,
        max(rules.judged_to_at) as judged_to_at,
        max(rules.as_of) as as_of
    from rules
    group by rules.organization_id, rules.external_customer_id

),

judgements as (

    select
        instants.*,
        {{ surrogate_key([
            'instants.organization_id', 'instants.external_customer_id', 'instants.judged_at', 'instants.instant_rank',
        ]) }} as judgement_id
    from instants
    inner join judged_to
        on
            instants.organization_id = judged_to.organization_id
            and instants.external_customer_id = judged_to.external_customer_id
    where instants.judged_at > judged_to.judged_to_at and instants.judged_at <= judged_to.as_of

),

ruled_wallets as (

    select wallets.*
    from wallets
    inner join judged_to
        on
            wallets.organization_id = judged_to.organization_id
            and wallets.external_customer_id = judged_to.external_customer_id

),

{# at one instant: facts of wallets, then what an interval looks at, then invoices, then what a threshold looks at #}
timeline as (

    select
        moves.source_id,
        moves.moved_at as happened_at,
        case
            when
                moves.move_kind in ('granted', 'purchased', 'voided', 'expired', 'terminated')
                and coalesce(transactions.instant_rank, 2) = 2
                then 1
            else 3
        end as place,
        cast(null as varchar) as judgement_id,
        moves.amount_cents,
        cast(moves.credits * 100000 as decimal(38, 0)) as credits_e5,
        cast(0 as decimal(38, 0)) as pending_e5
    from moves
    inner join ruled_wallets
        on moves.source_id = ruled_wallets.source_id
    left join transactions
        on
            moves.organization_id = transactions.organization_id
            and moves.wallet_transaction_id = transactions.wallet_transaction_id

    {# what has no value (it is too large) is awaited for ever: its customer is held #}
    {% for instant, sign, condition, place in [
        ('created_at', '', 'true', 'case when transactions.instant_rank = 2 then 1 else 3 end'),
        (
            'settled_at', '-',
            'transactions.amount_cents is not null and '
            ~ 'transactions.settled_at <= coalesce(transactions.given_up_at, ' ~ end_of_time() ~ ')', '1',
        ),
        (
            'given_up_at', '-',
            'transactions.given_up_at < coalesce(transactions.settled_at, ' ~ end_of_time() ~ ')', '3',
        ),
    ] -%}
        union all

        select
            ruled_wallets.source_id,
            transactions.{{ instant }} as happened_at,
            {{ place }} as place,
            cast(null as varchar) as judgement_id,
            0 as amount_cents,
            cast(0 as decimal(38, 0)) as credits_e5,
            {{ sign }}coalesce(transactions.credits_e5, cast({{ power_of_ten(24) }} as decimal(38, 0))) as pending_e5
        from transactions
        inner join ruled_wallets
            on
                transactions.organization_id = ruled_wallets.organization_id
                and transactions.wallet_code = ruled_wallets.wallet_code
        where
            (transactions.transaction_kind = 'purchased' or transactions.amount_cents is null)
            and transactions.{{ instant }} is not null
            and {{ condition }}

    {% endfor -%}
    union all

    select
        ruled_wallets.source_id,
        judgements.judged_at as happened_at,
        case when judgements.instant_rank = 2 then 2 else 4 end as place,
        judgements.judgement_id,
        0 as amount_cents,
        cast(0 as decimal(38, 0)) as credits_e5,
        cast(0 as decimal(38, 0)) as pending_e5
    from judgements
    inner join ruled_wallets
        on
            judgements.organization_id = ruled_wallets.organization_id
            and judgements.external_customer_id = ruled_wallets.external_customer_id
            and judgements.judged_at >= ruled_wallets.created_at
            and judgements.judged_at < ruled_wallets.ended_at

),

summed as (

    select
        timeline.source_id,
        timeline.judgement_id,
        {% for figure in ['amount_cents', 'credits_e5', 'pending_e5'] -%}
            sum(timeline.{{ figure }}) over (
                partition by timeline.source_id
                order by timeline.happened_at, timeline.place
                rows between unbounded preceding and current row
            ) as {{ figure }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from timeline

)

select
    'now' as judgement_id,
    cast(null as timestamp) as judged_at,
    cast(null as integer) as instant_rank,
    balances.organization_id,
    balances.external_customer_id,
    balances.wallet_code,
    balances.source_id,
    balances.currency,
    balances.is_limited,
    balances.wallet_place,
    balances.balance_cents,
    balances.credits_balance,
    cast(null as decimal(38, 0)) as pending_e5
from {{ ref('int_wallet_balances') }} as balances

union all

select
    judgements.judgement_id,
    judgements.judged_at,
    judgements.instant_rank,
    wallets.organization_id,
    wallets.external_customer_id,
    wallets.wallet_code,
    wallets.source_id,
    wallets.currency,
    wallets.is_limited,
    cast(
        row_number() over (
            partition by judgements.judgement_id, wallets.currency
            order by wallets.source_order
        ) as integer
    ) as wallet_place,
    cast(coalesce(recorded.balance_cents, 0) + summed.amount_cents as bigint) as balance_cents,
    cast(
        coalesce(recorded.credits_balance, 0) + {{ e5_to_decimal('summed.credits_e5') }} as decimal(38, 5)
    ) as credits_balance,
    cast(summed.pending_e5 as decimal(38, 0)) as pending_e5
from summed
inner join judgements
    on summed.judgement_id = judgements.judgement_id
inner join wallets
    on summed.source_id = wallets.source_id
left join recorded
    on wallets.source_id = recorded.source_id
