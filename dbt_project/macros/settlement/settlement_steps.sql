{#
  Where every chain stands and the steps that it takes in this round. Reads `entries` and what the round before left.

    cursors      one row per chain: the last step of the round before, and the stage at which its invoice stands (9:
                 done)
    live         one row per balance that can still be used: its row of the round before
    live_chains  one row per chain with such a balance
    steps        one row per chain and step of this round (int_settlement_entries.step_no)

  How many steps: the rest of an invoice under way, or at most `batch_size` that may share a round.
#}
{% macro settlement_steps() -%}
cursors as (

    select
        settled.chain_id,
        settled.step_no,
        settled.stage,
        settled.source_order as last_order,
        settled.amount_cents,
        settled.rest_e10,
        settled.batch_size
    from {{ this }} as settled
    where settled.round_no = {{ current_round() }} - 1 and settled.row_kind = 'cursor'

    union all

    select distinct
        entries.chain_id,
        cast(0 as bigint) as step_no,
        9 as stage,
        cast(0 as bigint) as last_order,
        cast(0 as bigint) as amount_cents,
        cast(0 as decimal(38, 0)) as rest_e10,
        cast(16 as bigint) as batch_size
    from entries
    where {{ current_round() }} = 1

),

live as (

    select settled.*
    from {{ this }} as settled
    where
        settled.round_no = {{ current_round() }} - 1
        and settled.row_kind in ('coupon', 'credit_note', 'wallet')
        and settled.is_live

),

live_chains as (

    select distinct live.chain_id from live

),

{#
  the steps of this round: the rest of an invoice that has begun, or the next ones that may share a round; a chain
  without live balances stops when nothing more can come
#}
steps as (

    select
        entries.chain_id,
        entries.organization_id,
        entries.step_no,
        entries.entry_kind,
        entries.entry_id,
        entries.entry_at,
        cursors.stage = 9 as is_begun,
        case when cursors.stage = 9 then 0 else cursors.stage end as stage,
        case when cursors.stage = 9 then cast(0 as bigint) else cursors.last_order end as last_order,
        cursors.amount_cents,
        cursors.rest_e10,
        cursors.batch_size
    from cursors
    inner join entries
        on
            cursors.chain_id = entries.chain_id
            and entries.is_step
            and entries.step_no between cursors.step_no + case when cursors.stage = 9 then 1 else 0 end
            and cursors.step_no + case when cursors.stage = 9 then cursors.batch_size else 0 end
            and (cursors.stage <> 9 or entries.run_step_no <= cursors.step_no + 1)
    left join live_chains
        on cursors.chain_id = live_chains.chain_id
    where
        cursors.stage <> 9
        or live_chains.chain_id is not null
        or cursors.step_no < entries.last_needed_step_no

)
{%- endmacro %}
