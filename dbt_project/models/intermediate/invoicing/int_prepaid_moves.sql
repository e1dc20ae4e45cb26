{#
  Each credit and debit of a wallet that is its customer's only balance, in order of time, by windows: with X the running
  sum of credits less what invoices ask for, the balance is X less the lowest that X has been (0 at the start), and an
  invoice takes by what it lowers the balance. Equal to settling one invoice after the other.
#}
with

customers as (

    select * from {{ ref('int_prepaid_customers') }}

),

wallets as (

    select * from {{ ref('int_wallets') }}

),

sources as (

    select sources.*
    from {{ ref('int_balance_sources') }} as sources
    inner join customers
        on sources.chain_id = customers.chain_id

),

transactions as (

    select * from {{ ref('int_wallet_transactions_settled') }}

),

invoices as (

    select
        invoices.*,
        customers.chain_id,
        customers.source_id
    from {{ ref('int_invoices_ordered') }} as invoices
    inner join customers
        on
            invoices.organization_id = customers.organization_id
            and invoices.external_customer_id = customers.external_customer_id
    inner join wallets
        on
            customers.source_id = wallets.source_id
            and invoices.currency = wallets.currency
    where
        invoices.invoice_state = 'due'
        and invoices.invoice_type not in ('one_off', 'credit', 'advance_charges')

),

fees as (

    select
        priced.invoice_id,
        case priced.fee_type when 'true_up' then 'charge' else priced.fee_type end as fee_type,
        coalesce(priced.billable_metric_code, '') as metric_code,
        priced.amount_cents,
        {{ cents_to_e5('priced.amount_cents') }} * {{ scaled_percent('priced.taxes_rate') }} as scaled_tax,
        {{ cents_to_e10('priced.amount_cents') }} + {{ signed_percent_of('priced.precise_e10', 'priced.taxes_rate') }}
            as cap_e10
    from {{ ref('int_fees_priced') }} as priced
    inner join invoices
        on priced.invoice_id = invoices.invoice_id

),

totals as (

    select
        fees.invoice_id,
        cast(sum(fees.amount_cents) as bigint)
        + cast({{ divide_half_away('sum(fees.scaled_tax)', power_of_ten(19)) }} as bigint) as total_cents,
        sum(case when fees.amount_cents <> 0 and fees.cap_e10 > 0 then fees.cap_e10 end) as caps_e10,
        count(*) as fees_count
    from fees
    group by fees.invoice_id

),

{# the fees' buckets (semantics/invoice.md section 7.1); one fee has one #}
several_buckets as (

    select
        fees.invoice_id,
        count(distinct fees.fee_type || ' ' || fees.metric_code) as buckets_count
    from fees
    inner join totals
        on
            fees.invoice_id = totals.invoice_id
            and totals.fees_count > 1
    where fees.amount_cents <> 0 and fees.cap_e10 > 0
    group by fees.invoice_id

),

asked as (

    select
        totals.invoice_id,
        least(
            totals.total_cents,
            case
                when
                    {{ cents_to_e10('totals.total_cents') }} - totals.caps_e10
                    between 1 and coalesce(several_buckets.buckets_count, 1) * 10000000000
                    then totals.total_cents
                else cast({{ divide_half_away('totals.caps_e10', power_of_ten(10)) }} as bigint)
            end
        ) as asked_cents
    from totals
    left join several_buckets
        on totals.invoice_id = several_buckets.invoice_id
    where totals.total_cents > 0 and totals.caps_e10 > 0

),

moves as (

    select
        sources.chain_id,
        sources.source_id,
        case when sources.entry_id = sources.source_id then 'opening' else transactions.transaction_kind end
            as move_kind,
        transactions.wallet_transaction_id,
        cast(null as varchar) as invoice_id,
        sources.counts_from_at as sort_at,
        coalesce(transactions.settled_at, sources.counts_from_at) as moved_at,
        sources.instant_rank,
        0 as place,
        '' as order_key,
        sources.entry_id as tie,
        sources.balance_cents as asked_cents,
        sources.credits_e5
    from sources
    left join transactions
        on
            sources.organization_id = transactions.organization_id
            and sources.entry_id = transactions.wallet_transaction_id

    union all

    select
        invoices.chain_id,
        invoices.source_id,
        'consumed' as move_kind,
        cast(null as varchar) as wallet_transaction_id,
        invoices.invoice_id,
        invoices.finalizes_at as sort_at,
        invoices.finalizes_at as moved_at,
        invoices.instant_rank,
        1 as place,
        invoices.order_key,
        invoices.invoice_id as tie,
        -asked.asked_cents as asked_cents,
        cast(null as decimal(38, 0)) as credits_e5
    from asked
    inner join invoices
        on asked.invoice_id = invoices.invoice_id

),

{% set in_order = "moves.sort_at, moves.instant_rank, moves.place, " ~ binary_order('moves.order_key') ~ ", "
    ~ binary_order('moves.tie') -%}
summed as (

    select
        moves.*,
        row_number() over (
            partition by moves.chain_id
            order by {{ in_order }}
        ) as move_order,
        sum(moves.asked_cents) over (
            partition by moves.chain_id
            order by {{ in_order }}
            rows between unbounded preceding and current row
        ) as running_cents
    from moves

),

{# the lowest that the running sum has been, with and without the move itself #}
reflected as (

    select
        summed.*,
        least(
            min(summed.running_cents) over (
                partition by summed.chain_id
                order by summed.move_order
                rows between unbounded preceding and current row
            ),
            0
        ) as lowest_cents,
        least(
            coalesce(
                min(summed.running_cents) over (
                    partition by summed.chain_id
                    order by summed.move_order
                    rows between unbounded preceding and 1 preceding
                ),
                0
            ),
            0
        ) as lowest_before_cents
    from summed

),

moved as (

    select
        reflected.*,
        reflected.running_cents - reflected.lowest_cents as balance_cents,
        reflected.asked_cents + reflected.lowest_before_cents - reflected.lowest_cents as amount_cents
    from reflected

),

credited as (

    select
        moved.*,
        wallets.organization_id,
        wallets.external_customer_id,
        wallets.wallet_code,
        wallets.currency,
        case
            when moved.move_kind = 'consumed' then {{ divide_half_away(
                'cast(moved.amount_cents as ' ~ wide_integer() ~ ') * wallets.scale_of_product', 'wallets.rate_e12'
            ) }}
            else moved.credits_e5
        end as moved_credits_e5
    from moved
    inner join wallets
        on moved.source_id = wallets.source_id

)

select
    credited.chain_id,
    credited.organization_id,
    credited.external_customer_id,
    credited.wallet_code,
    credited.source_id,
    credited.currency,
    credited.move_kind,
    credited.wallet_transaction_id,
    credited.invoice_id,
    credited.moved_at,
    credited.move_order,
    cast(credited.amount_cents as bigint) as amount_cents,
    cast(credited.balance_cents as bigint) as balance_cents,
    cast(credited.moved_credits_e5 as decimal(38, 0)) as credits_e5,
    cast(
        sum(credited.moved_credits_e5) over (
            partition by credited.chain_id
            order by credited.move_order
            rows between unbounded preceding and current row
        ) as decimal(38, 0)
    ) as credits_balance_e5
from credited
where credited.move_kind <> 'consumed' or credited.amount_cents < 0
