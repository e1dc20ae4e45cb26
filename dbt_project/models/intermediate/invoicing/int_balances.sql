{# The balances that this close touched, as it leaves them: what the next close begins with. #}
with

settled as (

    select * from {{ ref('int_settlement') }}
    where row_kind in ('coupon', 'credit_note', 'wallet')

),

chains as (

    select distinct
        entries.chain_id,
        entries.organization_id,
        entries.external_customer_id
    from {{ ref('int_settlement_entries') }} as entries

),

recorded as (

    select * from {{ ref('stg_ledger__balances') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

last_rounds as (

    select
        settled.chain_id,
        settled.row_kind,
        settled.row_id,
        max(settled.round_no) as round_no,
        max(settled.step_no) as step_no,
        max(case when settled.is_changed then 1 else 0 end) as changes,
        sum(
            case
                when settled.invoice_id is not null or settled.parent_id <> settled.row_id
                    then settled.taken_credits_e5
                else 0
            end
        ) as taken_credits_e5
    from settled
    group by settled.chain_id, settled.row_kind, settled.row_id

),

prepaid as (

    select
        customers.organization_id,
        customers.external_customer_id,
        customers.source_id,
        customers.currency,
        moves.balance_cents,
        moves.credits_balance_e5,
        row_number() over (partition by moves.chain_no order by moves.move_order desc) as last_place,
        sum(case when entries.move_kind = 'consumed' then -moves.credits_e5 else 0 end) over (
            partition by moves.chain_no
        ) as consumed_e5,
        sum(case when entries.move_kind = 'opening' then 0 else 1 end) over (partition by moves.chain_no)
            as moves_count
    from {{ ref('int_prepaid_moves') }} as moves
    inner join {{ ref('int_prepaid_entries') }} as entries
        on
            moves.chain_no = entries.chain_no
            and moves.move_order = entries.move_order
    inner join {{ ref('int_prepaid_customers') }} as customers
        on moves.chain_no = customers.chain_no

)

select
    close_scope.close_id,
    chains.organization_id,
    chains.external_customer_id,
    settled.row_kind as source_type,
    settled.row_id as source_id,
    settled.currency,
    settled.origin_invoice_id,
    settled.balance_cents,
    settled.periods_left,
    {{ e5_to_decimal('settled.credits_e5') }} as credits_balance,
    cast(
        coalesce(recorded.consumed_credits, 0) + {{ e5_to_decimal('last_rounds.taken_credits_e5') }}
        as decimal(38, 5)
    ) as consumed_credits,
    settled.is_live
from settled
inner join last_rounds
    on
        settled.chain_id = last_rounds.chain_id
        and settled.row_kind = last_rounds.row_kind
        and settled.row_id = last_rounds.row_id
        and settled.round_no = last_rounds.round_no
        and settled.step_no = last_rounds.step_no
inner join chains
    on settled.chain_id = chains.chain_id
inner join close_scope
    on chains.organization_id = close_scope.organization_id
left join recorded
    on
        settled.row_kind = recorded.source_type
        and settled.row_id = recorded.source_id
where
    last_rounds.changes = 1
    and (settled.row_kind <> 'coupon' or settled.periods_left is not null)

union all

select
    close_scope.close_id,
    prepaid.organization_id,
    prepaid.external_customer_id,
    'wallet' as source_type,
    prepaid.source_id,
    prepaid.currency,
    cast(null as varchar) as origin_invoice_id,
    prepaid.balance_cents,
    cast(null as integer) as periods_left,
    {{ e5_to_decimal('prepaid.credits_balance_e5') }} as credits_balance,
    cast(
        coalesce(recorded.consumed_credits, 0) + {{ e5_to_decimal('prepaid.consumed_e5') }} as decimal(38, 5)
    ) as consumed_credits,
    prepaid.balance_cents <> 0 or prepaid.credits_balance_e5 <> 0 as is_live
from prepaid
inner join close_scope
    on prepaid.organization_id = close_scope.organization_id
left join recorded
    on
        recorded.source_type = 'wallet'
        and prepaid.source_id = recorded.source_id
where prepaid.last_place = 1 and prepaid.moves_count > 0
