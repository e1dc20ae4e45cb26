{#
  What begins to count for a customer during this close: balances that earlier closes left, coupons attached that one of
  its invoices may use, credits that came into a wallet. Each counts from its instant on; what was landed late counts from the first step of the close.
#}
with

balances as (

    select * from {{ ref('stg_ledger__balances') }}

),

coupons as (

    select * from {{ ref('int_coupons_applied') }}

),

concerned as (

    select distinct
        coupon_fees.source_id,
        coupon_fees.invoice_id
    from {{ ref('int_coupon_fees') }} as coupon_fees

),

{#
  coupons that an invoice of this close may use: one that has ended, concerns none of the fees or is in another currency
  would only keep its customer's invoices waiting for each other
#}
usable_coupons as (

    select distinct coupons.source_id
    from coupons
    inner join {{ ref('int_invoices_ordered') }} as invoices
        on
            coupons.organization_id = invoices.organization_id
            and coupons.external_customer_id = invoices.external_customer_id
            and invoices.invoice_state = 'due'
            and coupons.created_at <= invoices.finalizes_at
            and coalesce(coupons.terminated_at, {{ end_of_time() }}) > invoices.finalizes_at
            and (coupons.coupon_type = 'percentage' or coupons.currency = invoices.currency)
            and invoices.invoice_type not in ('one_off', 'credit', 'advance_charges')
            and invoices.fees_amount_cents > 0
    left join concerned
        on
            coupons.source_id = concerned.source_id
            and invoices.invoice_id = concerned.invoice_id
    where concerned.source_id is not null or not coupons.is_limited

    union

    {# the void of an invoice gives back to what a coupon has left #}
    select coupons.source_id
    from coupons
    inner join {{ ref('int_invoice_voids') }} as invoice_voids
        on
            coupons.organization_id = invoice_voids.organization_id
            and coupons.external_customer_id = invoice_voids.external_customer_id

    union

    {# whether a coupon may be attached depends on others that are active then, used or not #}
    select conflicts.source_id
    from {{ ref('int_coupon_conflicts') }} as conflicts

    union

    select conflicts.earlier_source_id as source_id
    from {{ ref('int_coupon_conflicts') }} as conflicts

),

wallets as (

    select * from {{ ref('int_wallets') }}

),

transactions as (

    select transactions.*
    from {{ ref('int_wallet_transactions_settled') }} as transactions
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            transactions.organization_id = close_scope.organization_id
            and transactions.settled_at <= close_scope.as_of

),

moved as (

    select * from {{ ref('stg_ledger__wallet_moves') }}

),

{# what comes to light after the end of its wallet was recorded is too late for it #}
ended as (

    select distinct
        moved.organization_id,
        moved.wallet_code
    from moved
    where moved.move_kind in ('expired', 'terminated')

),

{# the oldest first, before all that this close issues #}
notes as (

    select
        issued.credit_note_id,
        row_number() over (
            partition by issued.organization_id, issued.external_customer_id
            order by issued.close_id, issued.issue_order
        ) as note_order
    from {{ ref('stg_ledger__credit_notes') }} as issued

),

sources as (

    {# opening balances; a coupon keeps the order of its attachment, notes that of their issue #}
    select
        balances.organization_id,
        balances.external_customer_id,
        balances.source_type,
        balances.source_id,
        balances.source_id as entry_id,
        balances.currency,
        balances.origin_invoice_id,
        coalesce(coupons.source_order, wallets.source_order, notes.note_order) as source_order,
        {{ beginning_of_time() }} as counts_from_at,
        2 as instant_rank,
        balances.balance_cents,
        balances.periods_left,
        cast(balances.credits_balance * 100000 as decimal(38, 0)) as credits_e5
    from balances
    left join coupons
        on
            balances.source_type = 'coupon'
            and balances.source_id = coupons.source_id
    left join wallets
        on
            balances.source_type = 'wallet'
            and balances.source_id = wallets.source_id
    left join notes
        on
            balances.source_type = 'credit_note'
            and balances.source_id = notes.credit_note_id
    left join usable_coupons
        on balances.source_id = usable_coupons.source_id
    where balances.is_live and (balances.source_type <> 'coupon' or usable_coupons.source_id is not null)

    union all

    select
        coupons.organization_id,
        coupons.external_customer_id,
        'coupon' as source_type,
        coupons.source_id,
        coupons.source_id as entry_id,
        coupons.currency,
        cast(null as varchar) as origin_invoice_id,
        coupons.source_order,
        coupons.created_at as counts_from_at,
        2 as instant_rank,
        case
            when coupons.coupon_type = 'fixed_amount' and coupons.frequency = 'once' then coupons.amount_cents
            else 0
        end as balance_cents,
        case coupons.frequency
            when 'once' then 1
            when 'recurring' then coupons.frequency_duration
        end as periods_left,
        cast(0 as decimal(38, 0)) as credits_e5
    from coupons
    inner join usable_coupons
        on coupons.source_id = usable_coupons.source_id
    left join balances
        on
            balances.source_type = 'coupon'
            and coupons.source_id = balances.source_id
    where balances.source_id is null

    union all

    select
        wallets.organization_id,
        wallets.external_customer_id,
        'wallet' as source_type,
        wallets.source_id,
        transactions.wallet_transaction_id as entry_id,
        wallets.currency,
        cast(null as varchar) as origin_invoice_id,
        wallets.source_order,
        transactions.settled_at as counts_from_at,
        transactions.instant_rank,
        transactions.amount_cents as balance_cents,
        cast(null as integer) as periods_left,
        transactions.credits_e5
    from transactions
    inner join wallets
        on
            transactions.organization_id = wallets.organization_id
            and transactions.wallet_code = wallets.wallet_code
    left join moved
        on
            transactions.organization_id = moved.organization_id
            and transactions.wallet_transaction_id = moved.wallet_transaction_id
    left join ended
        on
            transactions.organization_id = ended.organization_id
            and transactions.wallet_code = ended.wallet_code
    where
        transactions.transaction_kind <> 'voided'
        and transactions.settled_at < wallets.ended_at
        and moved.wallet_transaction_id is null
        and ended.wallet_code is null

)

select
    sources.organization_id,
    sources.external_customer_id,
    {{ surrogate_key(['sources.organization_id', 'sources.external_customer_id']) }} as chain_id,
    sources.source_type,
    sources.source_id,
    sources.entry_id,
    sources.currency,
    sources.origin_invoice_id,
    cast(sources.source_order as bigint) as source_order,
    sources.counts_from_at,
    cast(sources.instant_rank as integer) as instant_rank,
    cast(sources.balance_cents as bigint) as balance_cents,
    sources.periods_left,
    sources.credits_e5
from sources
