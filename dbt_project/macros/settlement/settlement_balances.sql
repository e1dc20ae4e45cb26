{#
  Every balance at every step of this round, before anything of the round is taken of it: what the round before left,
  what begins to count on the way, and what voids give back. A limited coupon is refused while another for the same
  plan or metric is active (docs/billing-rules.md, Coupons). Reads `steps`, `entries`, `live`, `reopened` and
  `issue_amounts`.

    begun_entries    one row per balance, or addition to a wallet, that begins to count at a step
    refused_coupons  one row per coupon of them that may not be
    counted          one row per balance and step at which it changes; what the round before left, at the first step
    balances         one row per step and balance from when it counts: cents, credits of a wallet (10^-5), periods of
                     a coupon
#}
{% macro settlement_balances() -%}
begun_entries as (

    select
        steps.chain_id,
        steps.chain_id = steps.entry_id and steps.entry_kind = 'invoice' as is_single_invoice,
        steps.step_no,
        sources.source_type,
        sources.source_id,
        sources.currency,
        sources.origin_invoice_id,
        sources.source_order,
        sources.balance_cents,
        sources.periods_left,
        sources.credits_e5,
        sources.source_type = 'wallet' and sources.entry_id <> sources.source_id as is_changed
    from steps
    inner join entries
        on
            steps.chain_id = entries.chain_id
            and steps.step_no = entries.step_no
            and not entries.is_step
    inner join {{ ref('int_balance_sources') }} as sources
        on
            entries.organization_id = sources.organization_id
            and entries.entry_kind = sources.source_type
            and entries.entry_id = sources.entry_id
    where steps.is_begun

),

{# a limited coupon is not attached while another one for the same plan or metric is active #}
coupons_in_conflict as (

    select
        begun_entries.chain_id,
        begun_entries.source_id,
        active.source_id as earlier_source_id
    from begun_entries
    inner join {{ ref('int_coupon_conflicts') }} as conflicts
        on begun_entries.source_id = conflicts.source_id
    inner join (
        select
            live.chain_id,
            live.row_id as source_id
        from live
        where live.row_kind = 'coupon'

        union all

        select
            begun_entries.chain_id,
            begun_entries.source_id
        from begun_entries
        where begun_entries.source_type = 'coupon'
    ) as active
        on
            begun_entries.chain_id = active.chain_id
            and conflicts.earlier_source_id = active.source_id

),

refused_coupons as (

    select distinct
        conflicts.chain_id,
        conflicts.source_id
    from coupons_in_conflict as conflicts
    left join coupons_in_conflict as earlier
        on
            conflicts.chain_id = earlier.chain_id
            and conflicts.earlier_source_id = earlier.source_id
    where earlier.source_id is null

),

begun_sources as (

    select
        begun_entries.chain_id,
        begun_entries.step_no,
        begun_entries.source_type,
        begun_entries.source_id,
        begun_entries.currency,
        begun_entries.origin_invoice_id,
        begun_entries.source_order,
        case when refused.source_id is null then begun_entries.balance_cents else 0 end as balance_cents,
        case when refused.source_id is null then begun_entries.periods_left else 0 end as periods_left,
        begun_entries.credits_e5,
        begun_entries.is_changed
        or (refused.source_id is not null and not begun_entries.is_single_invoice) as is_changed
    from begun_entries
    left join refused_coupons as refused
        on
            begun_entries.chain_id = refused.chain_id
            and begun_entries.source_type = 'coupon'
            and begun_entries.source_id = refused.source_id

),

first_steps as (

    select
        steps.chain_id,
        min(steps.step_no) as step_no
    from steps
    group by steps.chain_id

),

counted as (

    select
        live.chain_id,
        first_steps.step_no,
        live.row_kind as source_type,
        live.row_id as source_id,
        live.currency,
        live.origin_invoice_id,
        live.source_order,
        live.balance_cents,
        live.periods_left,
        live.credits_e5,
        false as is_changed
    from live
    inner join first_steps
        on live.chain_id = first_steps.chain_id

    union all

    select begun_sources.* from begun_sources

    union all

    {# what is used up has no row any more #}
    select
        reopened.chain_id,
        reopened.step_no,
        reopened.source_type,
        reopened.source_id,
        reopened.currency,
        null as origin_invoice_id,
        reopened.source_order,
        0 as balance_cents,
        reopened.periods_left,
        0 as credits_e5,
        false as is_changed
    from reopened

    union all

    {# the note for what a progressive invoice charged too much can be used by the very invoice that shows it #}
    select
        amounts.chain_id,
        amounts.step_no,
        'credit_note' as source_type,
        amounts.credit_note_id as source_id,
        amounts.currency,
        amounts.invoice_id as origin_invoice_id,
        amounts.issue_order as source_order,
        amounts.credit_cents as balance_cents,
        null as periods_left,
        0 as credits_e5,
        true as is_changed
    from issue_amounts as amounts
    where amounts.request_kind = 'progressive_billing' and amounts.credit_cents > 0

),

sources_at_work as (

    select
        counted.chain_id,
        counted.source_type,
        counted.source_id,
        min(counted.step_no) as from_step_no,
        min(counted.currency) as currency,
        min(counted.origin_invoice_id) as origin_invoice_id,
        max(counted.source_order) as source_order,
        cast(sum(counted.periods_left) as integer) as periods_left
    from counted
    group by counted.chain_id, counted.source_type, counted.source_id

),

changes as (

    select
        counted.chain_id,
        counted.step_no,
        counted.source_type,
        counted.source_id,
        sum(counted.balance_cents) as balance_cents,
        sum(counted.credits_e5) as credits_e5,
        max(case when counted.is_changed then 1 else 0 end) as changes
    from counted
    group by counted.chain_id, counted.step_no, counted.source_type, counted.source_id

),

{# each balance at each step, before anything of this round is taken of it #}
balances as (

    select
        sources.chain_id,
        steps.step_no,
        sources.source_type,
        sources.source_id,
        sources.currency,
        sources.origin_invoice_id,
        sources.source_order,
        sources.periods_left,
        cast(
            sum(coalesce(changes.balance_cents, 0)) over (
                partition by sources.chain_id, sources.source_type, sources.source_id
                order by steps.step_no
                rows between unbounded preceding and current row
            ) as bigint
        ) as balance_cents,
        cast(
            sum(coalesce(changes.credits_e5, 0)) over (
                partition by sources.chain_id, sources.source_type, sources.source_id
                order by steps.step_no
                rows between unbounded preceding and current row
            ) as decimal(38, 0)
        ) as credits_e5,
        max(coalesce(changes.changes, 0)) over (
            partition by sources.chain_id, sources.source_type, sources.source_id
            order by steps.step_no
            rows between unbounded preceding and current row
        ) as changes
    from steps
    inner join sources_at_work as sources
        on
            steps.chain_id = sources.chain_id
            and steps.step_no >= sources.from_step_no
    left join changes
        on
            sources.chain_id = changes.chain_id
            and sources.source_type = changes.source_type
            and sources.source_id = changes.source_id
            and steps.step_no = changes.step_no

)
{%- endmacro %}
