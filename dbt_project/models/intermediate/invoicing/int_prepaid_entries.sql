{#
  What comes into and what is asked of each wallet that is its customer's only balance, in order of time; an invoice asks
  for its total, taxes included, bucket by bucket of its fees (docs/billing-rules.md, Wallets).
#}
with

customers as (

    select * from {{ ref('int_prepaid_customers') }}

),

sources as (

    select
        sources.*,
        customers.chain_no
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
        customers.chain_no
    from {{ ref('int_invoices_ordered') }} as invoices
    inner join customers
        on
            invoices.organization_id = customers.organization_id
            and invoices.external_customer_id = customers.external_customer_id
            and invoices.currency = customers.currency
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

{# the fees' buckets (docs/billing-rules.md, Wallets); one fee has one #}
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

entries as (

    select
        sources.chain_no,
        case when sources.entry_id = sources.source_id then 'opening' else transactions.transaction_kind end
            as move_kind,
        sources.entry_id,
        sources.counts_from_at as sort_at,
        coalesce(transactions.settled_at, sources.counts_from_at) as moved_at,
        sources.instant_rank,
        0 as place,
        '' as order_key,
        sources.balance_cents as asked_cents,
        sources.credits_e5
    from sources
    left join transactions
        on
            sources.organization_id = transactions.organization_id
            and sources.entry_id = transactions.wallet_transaction_id

    union all

    select
        invoices.chain_no,
        'consumed' as move_kind,
        invoices.invoice_id as entry_id,
        invoices.finalizes_at as sort_at,
        invoices.finalizes_at as moved_at,
        invoices.instant_rank,
        1 as place,
        invoices.order_key,
        -asked.asked_cents as asked_cents,
        cast(null as decimal(38, 0)) as credits_e5
    from asked
    inner join invoices
        on asked.invoice_id = invoices.invoice_id

),

numbered as (

    select
        entries.*,
        row_number() over (
            partition by entries.chain_no
            order by
                entries.sort_at,
                entries.instant_rank,
                entries.place,
                {{ binary_order('entries.order_key') }},
                {{ binary_order('entries.entry_id') }}
        ) as move_order
    from entries

)

select
    numbered.chain_no,
    numbered.move_order,
    customers.source_id,
    numbered.move_kind,
    case when numbered.move_kind not in ('opening', 'consumed') then numbered.entry_id end as wallet_transaction_id,
    case when numbered.move_kind = 'consumed' then numbered.entry_id end as invoice_id,
    numbered.moved_at,
    numbered.asked_cents,
    cast(numbered.credits_e5 as {{ wide_integer() }}) as credits_e5
from numbered
inner join customers
    on numbered.chain_no = customers.chain_no
