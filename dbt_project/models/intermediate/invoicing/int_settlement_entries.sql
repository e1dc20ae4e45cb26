{#
  What happens to each chain of settlement, in order of time: steps (an invoice, a credit note, the end or a void of a
  wallet) and, between them, balances that begin to count at the next step. Steps of one chain follow each other because
  they share balances: a chain is a customer, or a single invoice of a customer whose only balances are coupons without
  an end, which no invoice uses up. Customers without balances have no chain: their invoices need no order.
#}
with

sources as (

    select * from {{ ref('int_balance_sources') }}

),

invoices as (

    select
        invoices.*,
        {{ surrogate_key(['invoices.organization_id', 'invoices.external_customer_id']) }} as customer_key
    from {{ ref('int_invoices_ordered') }} as invoices

),

notes as (

    select
        notes.*,
        {{ surrogate_key(['notes.organization_id', 'notes.external_customer_id']) }} as chain_id
    from {{ ref('int_credit_note_requests') }} as notes
    where notes.request_kind <> 'progressive_billing'

),

{# invoices that credit a progressive invoice before them #}
crediting_invoices as (

    select distinct
        credits.invoice_id,
        credits.organization_id,
        credits.external_customer_id,
        {{ surrogate_key(['credits.organization_id', 'credits.external_customer_id']) }} as chain_id
    from {{ ref('int_progressive_credits') }} as credits

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

wallets as (

    select
        wallets.*,
        {{ surrogate_key(['wallets.organization_id', 'wallets.external_customer_id']) }} as chain_id
    from {{ ref('int_wallets') }} as wallets

),

ended_wallets as (

    select distinct
        moves.organization_id,
        moves.wallet_code
    from {{ ref('stg_ledger__wallet_moves') }} as moves
    where moves.move_kind in ('expired', 'terminated')

),

voids as (

    select transactions.*
    from {{ ref('int_wallet_transactions') }} as transactions
    inner join close_scope
        on
            transactions.organization_id = close_scope.organization_id
            and transactions.settled_at <= close_scope.as_of
    left join {{ ref('stg_ledger__wallet_moves') }} as moved
        on
            transactions.organization_id = moved.organization_id
            and transactions.wallet_transaction_id = moved.wallet_transaction_id
    where transactions.transaction_kind = 'voided' and moved.wallet_transaction_id is null

),

invoice_voids as (

    select
        invoice_voids.*,
        {{ surrogate_key(['invoice_voids.organization_id', 'invoice_voids.external_customer_id']) }} as chain_id
    from {{ ref('int_invoice_voids') }} as invoice_voids
    where invoice_voids.refusal is null

),

prepaid_customers as (

    select * from {{ ref('int_prepaid_customers') }}

),

{# a balance that invoices use up, or a step of its own, makes the customer's invoices depend on each other #}
stepping_customers as (

    select
        sources.chain_id,
        sources.organization_id,
        sources.external_customer_id
    from sources
    where sources.source_type <> 'coupon' or sources.periods_left is not null

    union

    select
        notes.chain_id,
        notes.organization_id,
        notes.external_customer_id
    from notes

    union

    {# a void of an empty wallet takes nothing, but it has been: it is recorded once and never acts later #}
    select
        wallets.chain_id,
        wallets.organization_id,
        wallets.external_customer_id
    from voids
    inner join wallets
        on
            voids.organization_id = wallets.organization_id
            and voids.wallet_code = wallets.wallet_code

    union

    select
        crediting_invoices.chain_id,
        crediting_invoices.organization_id,
        crediting_invoices.external_customer_id
    from crediting_invoices

    union

    select
        invoice_voids.chain_id,
        invoice_voids.organization_id,
        invoice_voids.external_customer_id
    from invoice_voids

),

ordered_customers as (

    select stepping_customers.*
    from stepping_customers
    left join prepaid_customers
        on stepping_customers.chain_id = prepaid_customers.chain_id
    where prepaid_customers.chain_id is null

),

single_invoices as (

    select invoices.*
    from invoices
    left join ordered_customers
        on invoices.customer_key = ordered_customers.chain_id
    left join prepaid_customers
        on invoices.customer_key = prepaid_customers.chain_id
    where
        ordered_customers.chain_id is null
        and prepaid_customers.chain_id is null
        and invoices.invoice_state = 'due'

),

entries as (

    select
        ordered_customers.chain_id,
        invoices.organization_id,
        invoices.external_customer_id,
        case when invoices.invoice_state = 'due' then 'invoice' else 'draft' end as entry_kind,
        invoices.invoice_id as entry_id,
        1 as is_step,
        case when invoices.invoice_state = 'due' then invoices.finalizes_at else invoices.as_of end as entry_at,
        case when invoices.invoice_state = 'due' then invoices.instant_rank else 90 end as entry_rank,
        1 as entry_place,
        {# what voids of one instant make anew, in the order of what they voided #}
        case
            when invoices.instant_rank = 9
                then
                    lpad(cast({{ epoch_seconds('invoices.billing_at') }} as varchar), 12, '0') || ' '
                    || invoices.order_key
            else invoices.order_key
        end as entry_key
    from invoices
    inner join ordered_customers
        on invoices.customer_key = ordered_customers.chain_id

    union all

    select
        notes.chain_id,
        notes.organization_id,
        notes.external_customer_id,
        'credit_note' as entry_kind,
        notes.credit_note_id as entry_id,
        1 as is_step,
        notes.issued_at as entry_at,
        notes.instant_rank as entry_rank,
        {# the note for unused days comes just before the closing invoice, which has the same key and uses it at once #}
        1 as entry_place,
        notes.order_key as entry_key
    from notes

    union all

    select
        wallets.chain_id,
        wallets.organization_id,
        wallets.external_customer_id,
        'wallet_end' as entry_kind,
        wallets.source_id as entry_id,
        1 as is_step,
        wallets.ended_at as entry_at,
        1 as entry_rank,
        {# a wallet that expires at the instant of an end date pays nothing of it #}
        0 as entry_place,
        wallets.wallet_code as entry_key
    from wallets
    inner join close_scope
        on
            wallets.organization_id = close_scope.organization_id
            and wallets.ended_at <= close_scope.as_of
    inner join ordered_customers
        on wallets.chain_id = ordered_customers.chain_id
    left join ended_wallets
        on
            wallets.organization_id = ended_wallets.organization_id
            and wallets.wallet_code = ended_wallets.wallet_code
    where ended_wallets.wallet_code is null

    union all

    select
        wallets.chain_id,
        wallets.organization_id,
        wallets.external_customer_id,
        'wallet_void' as entry_kind,
        voids.wallet_transaction_id as entry_id,
        1 as is_step,
        voids.settled_at as entry_at,
        2 as entry_rank,
        2 as entry_place,
        wallets.wallet_code as entry_key
    from voids
    inner join wallets
        on
            voids.organization_id = wallets.organization_id
            and voids.wallet_code = wallets.wallet_code
    inner join ordered_customers
        on wallets.chain_id = ordered_customers.chain_id

    union all

    {# the last of an instant, but for the invoice that is made anew #}
    select
        invoice_voids.chain_id,
        invoice_voids.organization_id,
        invoice_voids.external_customer_id,
        'invoice_void' as entry_kind,
        invoice_voids.invoice_void_id as entry_id,
        1 as is_step,
        invoice_voids.voided_at as entry_at,
        9 as entry_rank,
        0 as entry_place,
        '' as entry_key
    from invoice_voids

    union all

    select
        ordered_customers.chain_id,
        ordered_customers.organization_id,
        ordered_customers.external_customer_id,
        'end' as entry_kind,
        ordered_customers.chain_id as entry_id,
        1 as is_step,
        close_scope.as_of as entry_at,
        99 as entry_rank,
        1 as entry_place,
        '' as entry_key
    from ordered_customers
    inner join close_scope
        on ordered_customers.organization_id = close_scope.organization_id

    union all

    select
        sources.chain_id,
        sources.organization_id,
        sources.external_customer_id,
        sources.source_type as entry_kind,
        sources.entry_id,
        0 as is_step,
        sources.counts_from_at as entry_at,
        sources.instant_rank as entry_rank,
        1 as entry_place,
        '' as entry_key
    from sources
    inner join ordered_customers
        on sources.chain_id = ordered_customers.chain_id

    union all

    select
        single_invoices.invoice_id as chain_id,
        single_invoices.organization_id,
        single_invoices.external_customer_id,
        'invoice' as entry_kind,
        single_invoices.invoice_id as entry_id,
        1 as is_step,
        single_invoices.finalizes_at as entry_at,
        single_invoices.instant_rank as entry_rank,
        1 as entry_place,
        single_invoices.order_key as entry_key
    from single_invoices
    where single_invoices.customer_key in (select sources.chain_id from sources)

    union all

    select
        single_invoices.invoice_id as chain_id,
        single_invoices.organization_id,
        single_invoices.external_customer_id,
        sources.source_type as entry_kind,
        sources.entry_id,
        0 as is_step,
        sources.counts_from_at as entry_at,
        sources.instant_rank as entry_rank,
        1 as entry_place,
        '' as entry_key
    from single_invoices
    inner join sources
        on single_invoices.customer_key = sources.chain_id

),

numbered as (

    select
        entries.*,
        sum(entries.is_step) over (
            partition by entries.chain_id
            order by
                entries.entry_at, entries.entry_rank, entries.entry_place, entries.is_step,
                {{ binary_order('entries.entry_key') }},
                entries.entry_kind,
                {{ binary_order('entries.entry_id') }}
            rows between unbounded preceding and current row
        ) as steps_so_far
    from entries

),

{# a balance belongs to the step that follows it #}
placed as (

    select
        numbered.*,
        cast(numbered.steps_so_far + 1 - numbered.is_step as bigint) as step_no,
        crediting_invoices.invoice_id is not null as is_crediting
    from numbered
    left join crediting_invoices
        on
            numbered.entry_id = crediting_invoices.invoice_id
            and numbered.is_step = 1

),

{# where a limited coupon begins to count that may be refused: what is active then must be known #}
judging_steps as (

    select distinct
        placed.chain_id,
        placed.step_no
    from placed
    inner join {{ ref('int_coupon_conflicts') }} as conflicts
        on placed.entry_id = conflicts.source_id
    where placed.entry_kind = 'coupon'

),

{#
  Steps that may share a round: invoices that follow each other, none of which credits a progressive one. A run is named
  by its first step; balances that begin to count on the way do not end it, unless one may be refused.
#}
joined as (

    select
        placed.chain_id,
        placed.step_no,
        case
            when
                lag(placed.is_plain) over (partition by placed.chain_id order by placed.step_no)
                and placed.is_plain
                and not placed.is_judging
                then 0
            else placed.step_no
        end as begun_step_no
    from (
        select
            placed.chain_id,
            placed.step_no,
            placed.entry_kind in ('invoice', 'draft') and not placed.is_crediting as is_plain,
            judging_steps.chain_id is not null as is_judging
        from placed
        left join judging_steps
            on
                placed.chain_id = judging_steps.chain_id
                and placed.step_no = judging_steps.step_no
        where placed.is_step = 1
    ) as placed

),

runs as (

    select
        joined.chain_id,
        joined.step_no,
        max(joined.begun_step_no) over (
            partition by joined.chain_id
            order by joined.step_no
            rows between unbounded preceding and current row
        ) as run_step_no
    from joined

)

select
    placed.chain_id,
    placed.organization_id,
    placed.external_customer_id,
    placed.entry_kind,
    placed.entry_id,
    placed.is_step = 1 as is_step,
    placed.step_no,
    cast(case when placed.is_step = 1 then runs.run_step_no end as bigint) as run_step_no,
    placed.entry_at,
    {#
      up to here the chain has to go even without a live balance; the invoices after that are settled like those of
      customers without balances
    #}
    max(
        case
            when placed.entry_kind not in ('invoice', 'draft', 'end') or placed.is_crediting then placed.step_no
            else 0
        end
    ) over (partition by placed.chain_id) as last_needed_step_no
from placed
left join runs
    on
        placed.chain_id = runs.chain_id
        and placed.step_no = runs.step_no
