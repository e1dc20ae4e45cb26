{#
  What is invoiced because somebody asked for it, at the instant of asking: one-off invoices and wallet purchases
  (docs/billing-rules.md, Wallets and From fees to the total). Neither knows a grace period.
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

asked as (

    select
        one_offs.organization_id,
        one_offs.external_customer_id,
        'one_off' as invoice_type,
        'one_off' as reason,
        one_offs.one_off_invoice_id as request_id,
        one_offs.created_at,
        one_offs.currency,
        cast(one_offs.position as bigint) as request_position,
        4 as instant_rank
    from {{ ref('stg_book__one_off_invoices') }} as one_offs

    union all

    select
        transactions.organization_id,
        transactions.external_customer_id,
        'credit' as invoice_type,
        'wallet_purchase' as reason,
        transactions.wallet_transaction_id as request_id,
        transactions.created_at,
        transactions.currency,
        cast(transactions.book_position as bigint) as request_position,
        transactions.instant_rank
    from {{ ref('int_wallet_transactions') }} as transactions
    where transactions.transaction_kind = 'purchased'

),

identified as (

    select
        asked.*,
        close_scope.close_id,
        close_scope.as_of,
        close_scope.known_batch_id,
        {{ surrogate_key(['asked.organization_id', 'asked.reason', 'asked.request_id']) }} as moment_id
    from asked
    inner join close_scope
        on
            asked.organization_id = close_scope.organization_id
            and asked.created_at <= close_scope.as_of

)

select
    identified.moment_id,
    identified.organization_id,
    identified.external_customer_id,
    identified.invoice_type,
    identified.reason,
    identified.request_id,
    identified.request_position,
    identified.instant_rank,
    case when finalized_moments.moment_id is null then 'due' else 'finalized' end as moment_state,
    identified.created_at as billing_at,
    {{ to_local_date('identified.created_at', 'local_offsets.utc_offset_seconds') }} as billing_date,
    coalesce(identified.currency, customers.currency) as currency,
    identified.close_id,
    identified.as_of,
    coalesce(finalized_moments.known_batch_id, identified.known_batch_id) as known_batch_id
from identified
inner join customers
    on
        identified.organization_id = customers.organization_id
        and identified.external_customer_id = customers.external_customer_id
inner join local_offsets
    on
        customers.timezone_history = local_offsets.timezone_history
        and identified.created_at >= local_offsets.valid_from_at
        and identified.created_at < local_offsets.valid_to_at
left join finalized_moments
    on identified.moment_id = finalized_moments.moment_id
