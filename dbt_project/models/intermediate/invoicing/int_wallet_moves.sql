with

settled as (

    select * from {{ ref('int_settlement') }}
    where row_kind = 'wallet'

),

entries as (

    select * from {{ ref('int_settlement_entries') }}

),

sources as (

    select * from {{ ref('int_balance_sources') }}
    where source_type = 'wallet'

),

transactions as (

    select * from {{ ref('int_wallet_transactions_settled') }}

),

wallets as (

    select * from {{ ref('int_wallets') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

moved as (

    {# what earlier closes left is no move, but the running balance begins with it #}
    select
        entries.chain_id,
        entries.step_no,
        0 as place,
        sources.source_id,
        case when sources.entry_id = sources.source_id then 'opening' else transactions.transaction_kind end
            as move_kind,
        transactions.wallet_transaction_id,
        cast(null as varchar) as invoice_id,
        coalesce(transactions.settled_at, entries.entry_at) as moved_at,
        sources.balance_cents as amount_cents,
        sources.credits_e5
    from sources
    inner join entries
        on
            sources.organization_id = entries.organization_id
            and sources.chain_id = entries.chain_id
            and sources.entry_id = entries.entry_id
            and entries.entry_kind = 'wallet'
    left join transactions
        on
            sources.organization_id = transactions.organization_id
            and sources.entry_id = transactions.wallet_transaction_id

    union all

    select
        settled.chain_id,
        settled.step_no,
        1 as place,
        settled.row_id as source_id,
        case
            when settled.invoice_id is null then wallets.end_kind
            when settled.amount_cents < 0 then 'recredited'
            else 'consumed'
        end as move_kind,
        cast(null as varchar) as wallet_transaction_id,
        settled.invoice_id,
        entries.entry_at as moved_at,
        -settled.amount_cents as amount_cents,
        -settled.taken_credits_e5 as credits_e5
    from settled
    inner join entries
        on
            settled.chain_id = entries.chain_id
            and settled.step_no = entries.step_no
            and entries.is_step
    inner join wallets
        on settled.row_id = wallets.source_id
    where settled.invoice_id is not null or settled.parent_id = settled.row_id

    union all

    select
        entries.chain_id,
        entries.step_no,
        1 as place,
        wallets.source_id,
        'voided' as move_kind,
        transactions.wallet_transaction_id,
        cast(null as varchar) as invoice_id,
        entries.entry_at as moved_at,
        -coalesce(settled.amount_cents, 0) as amount_cents,
        -coalesce(settled.taken_credits_e5, 0) as credits_e5
    from entries
    inner join transactions
        on
            entries.organization_id = transactions.organization_id
            and entries.entry_id = transactions.wallet_transaction_id
            and entries.entry_kind = 'wallet_void'
    inner join wallets
        on
            transactions.organization_id = wallets.organization_id
            and transactions.wallet_code = wallets.wallet_code
    left join settled
        on
            entries.chain_id = settled.chain_id
            and entries.entry_id = settled.parent_id
            and wallets.source_id = settled.row_id

    union all

    {# what a credit note on a purchase pays back #}
    select
        settled.chain_id,
        settled.step_no,
        1 as place,
        settled.row_id as source_id,
        'refunded' as move_kind,
        notes.credit_note_id as wallet_transaction_id,
        cast(null as varchar) as invoice_id,
        notes.issued_at as moved_at,
        -settled.amount_cents as amount_cents,
        -settled.taken_credits_e5 as credits_e5
    from settled
    inner join {{ ref('int_credit_note_requests') }} as notes
        on settled.parent_id = notes.credit_note_id

),

balanced as (

    select
        moved.*,
        sum(moved.amount_cents) over (
            partition by moved.source_id
            order by
                moved.step_no, moved.place, moved.moved_at, {{ binary_order('moved.wallet_transaction_id') }}
            rows between unbounded preceding and current row
        ) as balance_cents,
        sum(moved.credits_e5) over (
            partition by moved.source_id
            order by
                moved.step_no, moved.place, moved.moved_at, {{ binary_order('moved.wallet_transaction_id') }}
            rows between unbounded preceding and current row
        ) as credits_balance_e5,
        row_number() over (
            partition by moved.source_id
            order by
                moved.step_no, moved.place, moved.moved_at, {{ binary_order('moved.wallet_transaction_id') }}
        ) as move_order
    from moved

),

listed as (

    select
        balanced.source_id,
        balanced.move_kind,
        balanced.wallet_transaction_id,
        balanced.invoice_id,
        balanced.moved_at,
        balanced.move_order,
        balanced.amount_cents,
        balanced.credits_e5,
        balanced.balance_cents,
        balanced.credits_balance_e5
    from balanced

    union all

    select
        entries.source_id,
        entries.move_kind,
        entries.wallet_transaction_id,
        entries.invoice_id,
        entries.moved_at,
        entries.move_order,
        prepaid.amount_cents,
        prepaid.credits_e5,
        prepaid.balance_cents,
        prepaid.credits_balance_e5
    from {{ ref('int_prepaid_moves') }} as prepaid
    inner join {{ ref('int_prepaid_entries') }} as entries
        on
            prepaid.chain_no = entries.chain_no
            and prepaid.move_order = entries.move_order

)

select
    {{ surrogate_key([
        'listed.source_id', 'listed.move_kind', 'listed.wallet_transaction_id', 'listed.invoice_id'
    ]) }} as wallet_move_id,
    close_scope.close_id,
    wallets.organization_id,
    wallets.external_customer_id,
    wallets.wallet_code,
    listed.source_id,
    listed.move_kind,
    listed.wallet_transaction_id,
    listed.invoice_id,
    listed.moved_at,
    cast(listed.move_order as bigint) as move_order,
    wallets.currency,
    cast(listed.amount_cents as bigint) as amount_cents,
    {{ e5_to_decimal('listed.credits_e5') }} as credits,
    cast(listed.balance_cents as bigint) as balance_cents,
    {{ e5_to_decimal('listed.credits_balance_e5') }} as credits_balance
from listed
inner join wallets
    on listed.source_id = wallets.source_id
inner join close_scope
    on wallets.organization_id = close_scope.organization_id
where listed.move_kind <> 'opening'
