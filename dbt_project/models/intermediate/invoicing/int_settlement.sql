{%- set round = current_round() -%}
{%- set coupons_a_round = 2 -%}
{#
  A round takes a chain at least one stage of one step further: no chain needs more rounds than it has steps, times the
  balances that each may meet.
#}
{{ config(
    materialized='rounds',
    bound="select max(chains.steps * (chains.balances + 1)) from (select sum(case when entries.is_step then 1 else 0"
        ~ " end) as steps, sum(case when entries.entry_kind in ('invoice', 'draft', 'end') then 0 else 1 end)"
        ~ " as balances from {{ ref('int_settlement_entries') }} as entries group by entries.chain_id) as chains"
) }}

{#
  Settlement, round by round, so that what an invoice can use is what the invoices, notes and moves before it left. The
  rows of a round hold the whole state of its chains: a cursor (which step, which stage), the fees of the invoice under
  way with their shares, every live balance. The next round reads only those.

  A round takes every chain as many invoices further as its balances last. Each invoice of the batch is settled as if
  none before it in the batch took anything; that holds for all up to the first with which a balance would be overdrawn,
  which begins the next batch. So a chain needs rounds for its changes (a balance used up, a note, the end of a wallet),
  not for its invoices. Batches begin small and grow while they hold, so that little is settled in vain.

  The stages of an invoice (semantics/invoice.md section 1): 1 coupons, two a round; then taxes; 2 credit notes, one a
  round; 3 wallets, one a round; 9 done. What needs no third coupon and no second note or wallet goes through all of them
  in one round.
#}
with

entries as (

    select * from {{ ref('int_settlement_entries') }}

),

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
    where settled.round_no = {{ round }} - 1 and settled.row_kind = 'cursor'

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
    where {{ round }} = 1

),

live as (

    select settled.*
    from {{ this }} as settled
    where
        settled.round_no = {{ round }} - 1
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

),

{# ---- what an invoice credits of the progressive invoice before it (section 3.3) #}
progressive_begun as (

    select
        steps.chain_id,
        steps.step_no,
        credits.invoice_id,
        credits.progressive_invoice_id,
        credits.credit_note_id,
        credits.open_cents,
        credits.limit_cents
    from steps
    inner join {{ ref('int_progressive_credits') }} as credits
        on
            steps.entry_id = credits.invoice_id
            and steps.is_begun

),

{# invoices that are voided before the step: what they took of it is there again #}
voided_before as (

    select
        begun.invoice_id,
        voids.invoice_id as voided_invoice_id
    from progressive_begun as begun
    inner join entries
        on
            begun.chain_id = entries.chain_id
            and entries.entry_kind = 'invoice_void'
            and begun.step_no > entries.step_no
    inner join {{ ref('int_invoice_voids') }} as voids
        on entries.entry_id = voids.invoice_void_id

),

{# what this settlement has taken of it: coupons on it, credits given, notes made #}
progressive_taken as (

    select
        begun.invoice_id,
        begun.progressive_invoice_id,
        sum(case when settled.row_kind = 'issue' then settled.balance_cents else settled.amount_cents end)
            as taken_cents
    from progressive_begun as begun
    inner join {{ this }} as settled
        on
            settled.row_kind in ('progressive', 'issue', 'coupon')
            and begun.progressive_invoice_id
            = case when settled.row_kind = 'progressive' then settled.row_id else settled.invoice_id end
    left join voided_before
        on
            begun.invoice_id = voided_before.invoice_id
            and settled.row_kind = 'progressive'
            and settled.invoice_id = voided_before.voided_invoice_id
    where voided_before.invoice_id is null
    group by begun.invoice_id, begun.progressive_invoice_id

),

progressive_open as (

    select
        begun.chain_id,
        begun.step_no,
        begun.invoice_id,
        begun.progressive_invoice_id,
        begun.credit_note_id,
        begun.limit_cents,
        greatest(begun.open_cents - coalesce(taken.taken_cents, 0), 0) as open_cents
    from progressive_begun as begun
    left join progressive_taken as taken
        on
            begun.invoice_id = taken.invoice_id
            and begun.progressive_invoice_id = taken.progressive_invoice_id

),

progressive_credits as (

    select
        progressive_open.*,
        least(progressive_open.open_cents, progressive_open.limit_cents) as credit_cents,
        greatest(progressive_open.open_cents - progressive_open.limit_cents, 0) as excess_cents
    from progressive_open

),

progressive_sums as (

    select
        credits.invoice_id,
        cast(sum(credits.credit_cents) as bigint) as credit_cents
    from progressive_credits as credits
    group by credits.invoice_id

),

progressive_shares as (

    select
        shares.fee_id,
        least(sum(shares.share_cents), max(shares.amount_cents)) as share_cents
    from {{ ref('int_progressive_shares') }} as shares
    inner join progressive_credits as credits
        on
            shares.invoice_id = credits.invoice_id
            and shares.progressive_invoice_id = credits.progressive_invoice_id
    group by shares.fee_id

),

{# ---- credit notes that are issued (section 6), in an order that goes on from step to step #}
issues as (

    select
        issued.*,
        1000000000 + issued.step_no * 100000
        + row_number() over (partition by issued.chain_id order by issued.credit_note_id) as issue_order
    from (
        select
            steps.chain_id,
            steps.step_no,
            notes.*,
            0 as excess_cents
        from steps
        inner join {{ ref('int_credit_note_requests') }} as notes
            on steps.entry_id = notes.credit_note_id
        where steps.entry_kind = 'credit_note'

        union all

        select
            credits.chain_id,
            credits.step_no,
            notes.*,
            credits.excess_cents
        from progressive_credits as credits
        inner join {{ ref('int_credit_note_requests') }} as notes
            on credits.credit_note_id = notes.credit_note_id
        where credits.excess_cents > 0
    ) as issued

),

earlier_items as (

    select
        settled.row_id as fee_id,
        sum(settled.item_e5) as item_e5
    from {{ this }} as settled
    where
        settled.row_kind = 'item'
        and settled.invoice_id in (select issues.invoice_id from issues)
        and settled.round_no < {{ round }}
    group by settled.row_id

),

earlier_notes as (

    select
        settled.invoice_id,
        cast(sum(settled.refund_cents) as bigint) as refund_cents,
        sum({{ cents_to_e5('settled.taxes_amount_cents') }} - settled.precise_taxes_e10) as tax_rounding_e5
    from {{ this }} as settled
    where
        settled.row_kind = 'issue'
        and settled.invoice_id in (select issues.invoice_id from issues)
        and settled.round_no < {{ round }}
    group by settled.invoice_id

),

settled_fees as (

    select
        settled.row_id as fee_id,
        settled.coupon_share_e5
    from {{ this }} as settled
    where
        settled.row_kind = 'fee'
        and settled.stage = 9
        and settled.invoice_id in (select issues.invoice_id from issues)
        and settled.round_no < {{ round }}

),

issue_fees as (

    select
        issues.credit_note_id,
        credited.fee_id,
        credited.is_unused_fee,
        credited.is_credit_fee,
        credited.wallet_code,
        credited.taxes_rate,
        credited.precise_e10,
        {{ cents_to_e5('credited.amount_cents') }} as amount_e5,
        coalesce(credited.ledger_share_e5, settled_fees.coupon_share_e5, 0) as share_e5,
        credited.ledger_items_e5 + coalesce(earlier_items.item_e5, 0) as credited_e5,
        {{ cents_to_e5('credited.asked_amount_cents') }} as asked_e5,
        case
            {# of a line of a draft that has changed since: the same part of it #}
            when
                issues.request_kind = 'requested'
                and credited.draft_amount_cents <> credited.amount_cents
                and credited.draft_amount_cents > 0
                then {{ multiply_divide(
                    cents_to_e5('credited.asked_amount_cents'), 'credited.amount_cents',
                    'greatest(credited.draft_amount_cents, 1)'
                ) }}
            when issues.request_kind = 'requested' then {{ cents_to_e5('credited.asked_amount_cents') }}
            {# up to what is left to credit of the fee #}
            when issues.request_kind = 'late_usage' then greatest(
                least(
                    {{ cents_to_e5('credited.asked_amount_cents') }},
                    {{ cents_to_e5('credited.amount_cents') }}
                    - credited.ledger_items_e5 - coalesce(earlier_items.item_e5, 0)
                ),
                0
            )
            when credited.is_unused_fee then greatest(
                least(issues.unused_e5, {{ cents_to_e5('credited.amount_cents') }})
                - credited.ledger_items_e5 - coalesce(earlier_items.item_e5, 0),
                0
            )
            {# the largest fee first, each up to what is left to credit of it #}
            when issues.request_kind = 'progressive_billing' then greatest(
                least(
                    {{ cents_to_e5('credited.amount_cents') }}
                    - credited.ledger_items_e5 - coalesce(earlier_items.item_e5, 0),
                    {{ cents_to_e5('issues.excess_cents') }} - (
                        sum(
                            {{ cents_to_e5('credited.amount_cents') }}
                            - credited.ledger_items_e5 - coalesce(earlier_items.item_e5, 0)
                        ) over (
                            partition by issues.credit_note_id
                            order by
                                credited.amount_cents desc,
                                {# of lines of one amount the one with most left to give back #}
                                coalesce(credited.ledger_share_e5, settled_fees.coupon_share_e5, 0) asc,
                                credited.fee_id asc
                            rows between unbounded preceding and current row
                        )
                        - (
                            {{ cents_to_e5('credited.amount_cents') }}
                            - credited.ledger_items_e5 - coalesce(earlier_items.item_e5, 0)
                        )
                    )
                ),
                0
            )
            else 0
        end as item_e5
    from issues
    inner join {{ ref('int_credited_fees') }} as credited
        on issues.credit_note_id = credited.credit_note_id
    left join settled_fees
        on credited.fee_id = settled_fees.fee_id
    left join earlier_items
        on credited.fee_id = earlier_items.fee_id

),

issue_items as (

    select
        shared.*,
        {{ e5_to_e10('shared.item_e5') }} - shared.item_share_e10 as net_e10,
        {{ signed_percent_of(
            '(' ~ e5_to_e10('shared.item_e5') ~ ' - shared.item_share_e10)', 'shared.taxes_rate'
        ) }} as tax_e10,
        {{ signed_percent_of(
            '(shared.precise_e10 - ' ~ e5_to_e10('shared.share_e5') ~ ')', 'shared.taxes_rate'
        ) }} as fee_tax_e10
    from (
        select
            issue_fees.*,
            case
                when issue_fees.amount_e5 > 0 and issue_fees.item_e5 > 0
                    then {{ multiply_divide(
                        e5_to_e10('issue_fees.share_e5'), 'issue_fees.item_e5', 'issue_fees.amount_e5'
                    ) }}
                else 0
            end as item_share_e10
        from issue_fees
    ) as shared

),

issue_sums as (

    select
        items.credit_note_id,
        sum(items.item_e5) as items_e5,
        {{ divide_half_away('sum(items.item_share_e10)', '100000') }} as coupon_e5,
        {{ divide_half_away('sum(items.tax_e10)', '100000') }} as precise_tax_e5,
        sum(items.amount_e5 - items.credited_e5 - items.item_e5) as creditable_e5,
        max(case when items.item_e5 > items.amount_e5 - items.credited_e5 then 1 else 0 end) as overdrawn_items,
        sum(case when items.item_e5 > 0 then 1 else 0 end) as items_count,
        sum(case when items.asked_e5 > 0 then 1 else 0 end) as asked_items_count,
        {# whose tax is not known any more #}
        sum(case when items.asked_e5 > 0 and items.amount_e5 = 0 then 1 else 0 end) as lost_items_count,
        {# what the items came to on the draft, before coupons #}
        cast({{ divide_half_away(
            'sum(items.asked_e5 * (' ~ power_of_ten(14) ~ ' + ' ~ scaled_percent('items.taxes_rate') ~ '))',
            power_of_ten(19)
        ) }} as bigint) as draft_cents,
        sum(case when items.item_e5 > 0 and items.is_credit_fee then 1 else 0 end) as credit_items_count,
        max(case when items.item_e5 > 0 then items.wallet_code end) as wallet_code,
        {# the plan fee with its exact tax, and what the invoice asked for with its tax #}
        sum(
            case when items.is_unused_fee then items.precise_e10 - {{ e5_to_e10('items.share_e5') }} + items.fee_tax_e10
                else 0 end
        ) as unused_fee_e10,
        sum(case when items.is_unused_fee then items.net_e10 + items.tax_e10 else 0 end) as unused_part_e10,
        cast({{ divide_half_away('sum(items.amount_e5 - items.share_e5)', '100000') }} as bigint) + cast(
            {{ divide_half_away(
                'sum((items.amount_e5 - items.share_e5) * ' ~ scaled_percent('items.taxes_rate') ~ ')', power_of_ten(19)
            ) }} as bigint
        ) as invoice_cents
    from issue_items as items
    group by items.credit_note_id

),

{# the last note of an invoice takes the roundings of the earlier ones: all notes add up to the invoice #}
issue_taxes as (

    select
        issues.chain_id,
        issues.step_no,
        issues.issue_order,
        issues.credit_note_id,
        issues.organization_id,
        issues.invoice_id,
        issues.request_kind,
        issues.policy,
        issues.is_invoice_voided,
        {# asked for while the invoice was a draft #}
        coalesce(issues.issued_at > issues.asked_at, false) as is_of_draft,
        issues.currency,
        issues.credit_amount_cents,
        issues.refund_amount_cents,
        issues.offset_amount_cents,
        issues.paid_amount_cents,
        issues.ledger_refund_amount_cents + coalesce(earlier_notes.refund_cents, 0) as refunded_cents,
        sums.items_e5,
        sums.coupon_e5,
        sums.overdrawn_items,
        sums.items_count,
        sums.asked_items_count,
        sums.lost_items_count,
        sums.draft_cents,
        sums.credit_items_count,
        sums.wallet_code,
        sums.unused_fee_e10,
        sums.unused_part_e10,
        sums.invoice_cents,
        sums.precise_tax_e5 - case
            when sums.creditable_e5 = 0
                then issues.ledger_tax_rounding_e5 + coalesce(earlier_notes.tax_rounding_e5, 0)
            else 0
        end as precise_tax_e5
    from issues
    inner join issue_sums as sums
        on issues.credit_note_id = sums.credit_note_id
    left join earlier_notes
        on issues.invoice_id = earlier_notes.invoice_id

),

issue_totals as (

    select
        rounded.*,
        rounded.credit_amount_cents + rounded.refund_amount_cents + rounded.offset_amount_cents as requested_cents,
        {# on a draft the total follows the items #}
        case
            when rounded.request_kind = 'requested' and not rounded.is_of_draft
                then rounded.credit_amount_cents + rounded.refund_amount_cents + rounded.offset_amount_cents
            else rounded.exact_cents
        end as asked_cents
    from (
        select
            taxes.*,
            cast({{ divide_half_away('taxes.precise_tax_e5', '100000') }} as bigint) as tax_cents,
            cast({{ divide_half_away('(taxes.items_e5 - taxes.coupon_e5)', '100000') }} as bigint) as net_cents,
            cast(
                {{ divide_half_away('(taxes.items_e5 - taxes.coupon_e5 + taxes.precise_tax_e5)', '100000') }} as bigint
            ) as exact_cents
        from issue_taxes as taxes
    ) as rounded

),

{# what is in the wallets when a note may take credits out of one #}
wallet_holdings as (

    select
        held.chain_id,
        held.source_id,
        sum(held.balance_cents) as balance_cents
    from (
        select
            live.chain_id,
            live.row_id as source_id,
            live.balance_cents
        from live
        where live.row_kind = 'wallet'

        union all

        select
            steps.chain_id,
            sources.source_id,
            sources.balance_cents
        from steps
        inner join entries
            on
                steps.chain_id = entries.chain_id
                and steps.step_no = entries.step_no
                and not entries.is_step
                and entries.entry_kind = 'wallet'
        inner join {{ ref('int_balance_sources') }} as sources
            on
                entries.organization_id = sources.organization_id
                and entries.entry_id = sources.entry_id
                and sources.source_type = 'wallet'
        where steps.entry_kind = 'credit_note'
    ) as held
    group by held.chain_id, held.source_id

),

{# the total is moved by at most a cent, once, to rounded net plus rounded tax #}
issue_decisions as (

    select
        totals.*,
        wallets.source_id as wallet_source_id,
        totals.asked_cents
        + greatest(least(totals.net_cents + totals.tax_cents - totals.asked_cents, 1), -1) as total_cents,
        case
            when totals.request_kind <> 'requested' then null
            when totals.is_invoice_voided then 'the invoice is voided'
            when totals.asked_items_count = 0 then 'no fee of the invoice is named'
            when totals.credit_items_count > 0 and totals.credit_amount_cents > 0
                then 'what was paid for credits can be refunded or offset only'
            when
                totals.credit_items_count > 0 and totals.offset_amount_cents > 0
                and (totals.paid_amount_cents > 0 or totals.asked_cents <> totals.invoice_cents)
                then 'only a purchase that is not paid can be offset, and only whole'
            when totals.credit_items_count > 0 and totals.refund_amount_cents > coalesce(holdings.balance_cents, 0)
                then 'the wallet holds less than that'
            when totals.overdrawn_items > 0 then 'an item is above what its fee has left to credit'
            when
                abs(totals.requested_cents - totals.exact_cents) > 1
                and not (
                    totals.is_of_draft
                    and (totals.lost_items_count > 0 or abs(totals.requested_cents - totals.draft_cents) <= 1)
                )
                then 'its amounts add up to ' || cast(totals.requested_cents as varchar) || ', its items to '
                    || cast(case when totals.is_of_draft then totals.draft_cents else totals.exact_cents end as varchar)
            when totals.refund_amount_cents > greatest(totals.paid_amount_cents - totals.refunded_cents, 0)
                then 'the refund is above what was paid and not refunded'
            when totals.requested_cents = 0 then 'it is about nothing'
            {# lines of a draft may have come to nothing: then there is nothing to credit #}
            when totals.net_cents + totals.tax_cents = 0 and not totals.is_of_draft then 'it is about nothing'
        end as refusal
    from issue_totals as totals
    left join {{ ref('int_wallets') }} as wallets
        on
            totals.organization_id = wallets.organization_id
            and totals.wallet_code = wallets.wallet_code
    left join wallet_holdings as holdings
        on
            totals.chain_id = holdings.chain_id
            and wallets.source_id = holdings.source_id

),

{# credit, refund and offset of a note on a draft in the proportion in which they were asked for #}
issue_parts as (

    select
        decisions.*,
        case
            when decisions.is_of_draft
                then cast({{ divide_half_away(
                    'cast(decisions.refund_amount_cents as ' ~ wide_integer() ~ ') * decisions.total_cents',
                    'greatest(decisions.requested_cents, 1)'
                ) }} as bigint)
            else decisions.refund_amount_cents
        end as refund_part_cents,
        case
            when decisions.is_of_draft
                then cast({{ divide_half_away(
                    'cast(decisions.offset_amount_cents as ' ~ wide_integer() ~ ') * decisions.total_cents',
                    'greatest(decisions.requested_cents, 1)'
                ) }} as bigint)
            else decisions.offset_amount_cents
        end as offset_part_cents
    from issue_decisions as decisions

),

issue_splits as (

    select
        decisions.*,
        case
            when decisions.policy in ('refund', 'offset') then greatest(
                least(
                    decisions.total_cents,
                    cast(
                        {{ divide_half_away(
                            '(case when decisions.invoice_cents = 0 then 0 else '
                            ~ multiply_divide(
                                'greatest(decisions.unused_fee_e10, 0)',
                                'decisions.paid_amount_cents',
                                'greatest(decisions.invoice_cents, 1)'
                            )
                            ~ ' end - (decisions.unused_fee_e10 - decisions.unused_part_e10))',
                            power_of_ten(10)
                        ) }} as bigint
                    ),
                    decisions.paid_amount_cents - decisions.refunded_cents
                ),
                0
            )
            else 0
        end as unused_refund_cents,
        greatest(decisions.invoice_cents - decisions.paid_amount_cents, 0) as unpaid_cents
    from issue_parts as decisions

),

issue_amounts as (

    select
        splits.*,
        case
            when splits.request_kind = 'requested' and splits.credit_amount_cents > 0
                then splits.total_cents - splits.refund_part_cents - splits.offset_part_cents
            when splits.request_kind = 'requested' then 0
            when splits.policy = 'offset'
                then splits.total_cents - splits.unused_refund_cents
                    - least(splits.unpaid_cents, splits.total_cents - splits.unused_refund_cents)
            else splits.total_cents - splits.unused_refund_cents
        end as credit_cents,
        case
            when splits.request_kind <> 'requested' then splits.unused_refund_cents
            when splits.credit_amount_cents > 0 or splits.refund_amount_cents = 0 then splits.refund_part_cents
            else splits.total_cents - splits.offset_part_cents
        end as refund_cents,
        case
            when splits.request_kind <> 'requested' and splits.policy = 'offset'
                then least(splits.unpaid_cents, splits.total_cents - splits.unused_refund_cents)
            when splits.request_kind <> 'requested' then 0
            when splits.credit_amount_cents > 0 or splits.refund_amount_cents > 0 then splits.offset_part_cents
            else splits.total_cents
        end as offset_cents
    from issue_splits as splits
    where splits.total_cents > 0 or splits.refusal is not null

),

{# ---- what the void of an invoice gives back (section 4.4): what it took of coupons, and of wallets that are active #}
invoice_voids as (

    select
        steps.chain_id,
        steps.step_no,
        steps.entry_at,
        voids.invoice_id
    from steps
    inner join {{ ref('int_invoice_voids') }} as voids
        on steps.entry_id = voids.invoice_void_id
    where steps.entry_kind = 'invoice_void'

),

voided_uses as (

    select
        invoice_voids.chain_id,
        invoice_voids.step_no,
        invoice_voids.entry_at,
        invoice_voids.invoice_id,
        case postings.posting_kind when 'prepaid_credit' then 'wallet' else postings.posting_kind end as source_type,
        postings.source_id,
        postings.amount_cents
    from invoice_voids
    inner join {{ ref('stg_ledger__postings') }} as postings
        on invoice_voids.invoice_id = postings.invoice_id
    where postings.posting_kind in ('coupon', 'prepaid_credit')

    union all

    select
        invoice_voids.chain_id,
        invoice_voids.step_no,
        invoice_voids.entry_at,
        invoice_voids.invoice_id,
        settled.row_kind as source_type,
        settled.row_id as source_id,
        settled.amount_cents
    from invoice_voids
    inner join {{ this }} as settled
        on
            invoice_voids.invoice_id = settled.invoice_id
            and settled.row_kind in ('coupon', 'wallet')
            and settled.round_no < {{ round }}
    where settled.amount_cents > 0

),

reopened as (

    select
        voided_uses.chain_id,
        voided_uses.step_no,
        voided_uses.invoice_id,
        voided_uses.source_type,
        voided_uses.source_id,
        coupons.currency,
        coupons.source_order,
        {# one for once lives on its rest #}
        case
            when coupons.coupon_type = 'fixed_amount' and coupons.frequency = 'once' and live.row_id is null then 1
            else 0
        end as periods_left,
        voided_uses.amount_cents,
        cast(0 as decimal(38, 0)) as credits_e5
    from voided_uses
    inner join {{ ref('int_coupons_applied') }} as coupons
        on voided_uses.source_id = coupons.source_id
    left join live
        on
            voided_uses.chain_id = live.chain_id
            and live.row_kind = 'coupon'
            and voided_uses.source_id = live.row_id
    where
        voided_uses.source_type = 'coupon'
        and coupons.frequency <> 'forever'
        and voided_uses.entry_at < coalesce(coupons.terminated_at, {{ end_of_time() }})
        {# an attachment that is used up stays so when the coupon itself has ended #}
        and (live.row_id is not null or voided_uses.entry_at < coalesce(coupons.coupon_ended_at, {{ end_of_time() }}))

    union all

    select
        voided_uses.chain_id,
        voided_uses.step_no,
        voided_uses.invoice_id,
        voided_uses.source_type,
        voided_uses.source_id,
        wallets.currency,
        wallets.source_order,
        cast(null as integer) as periods_left,
        voided_uses.amount_cents,
        cast(
            {{ divide_half_away(
                'cast(voided_uses.amount_cents as ' ~ wide_integer() ~ ') * wallets.scale_of_product',
                'wallets.rate_e12'
            ) }} as decimal(38, 0)
        ) as credits_e5
    from voided_uses
    inner join {{ ref('int_wallets') }} as wallets
        on voided_uses.source_id = wallets.source_id
    where voided_uses.source_type = 'wallet' and voided_uses.entry_at < wallets.ended_at

),

{# ---- live balances, and those that begin to count #}
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

{# a limited coupon is not attached while another one for the same plan or metric is active (section 4.2) #}
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

),

{# ---- invoices: fees and what earlier stages made of them #}
invoices as (

    select
        steps.chain_id,
        steps.step_no,
        steps.entry_id as invoice_id,
        steps.entry_at,
        steps.is_begun,
        steps.stage,
        steps.last_order,
        ordered.currency,
        ordered.fees_amount_cents,
        steps.entry_kind = 'invoice' and ordered.invoice_type not in ('one_off', 'credit', 'advance_charges')
            as is_discountable,
        case
            when steps.stage > 1 then steps.amount_cents
            when steps.is_begun then ordered.fees_amount_cents - coalesce(progressive_sums.credit_cents, 0)
            else steps.amount_cents
        end as amount_cents,
        steps.rest_e10
    from steps
    inner join {{ ref('int_invoices_ordered') }} as ordered
        on steps.entry_id = ordered.invoice_id
    left join progressive_sums
        on steps.entry_id = progressive_sums.invoice_id
    where steps.entry_kind in ('invoice', 'draft')

),

fees as (

    select
        invoices.chain_id,
        invoices.invoice_id,
        priced.fee_id,
        priced.fee_type,
        priced.billable_metric_code,
        priced.amount_cents,
        priced.precise_e10,
        priced.taxes_rate,
        {{ cents_to_e5('priced.amount_cents') }} as amount_e5,
        coalesce(
            settled.coupon_share_e5, {{ cents_to_e5('progressive_shares.share_cents') }}, 0
        ) as coupon_share_e5,
        coalesce(settled.credit_note_share_e5, 0) as credit_note_share_e5,
        settled.taxes_amount_cents,
        settled.precise_taxes_e10
    from invoices
    inner join {{ ref('int_fees_priced') }} as priced
        on invoices.invoice_id = priced.invoice_id
    left join {{ this }} as settled
        on
            priced.fee_id = settled.row_id
            and settled.row_kind = 'fee'
            and settled.round_no = {{ round }} - 1
    left join progressive_shares
        on priced.fee_id = progressive_shares.fee_id

),

{# ---- stage 1: the next coupons that concern a fee, one after the other (section 4) #}
{% for place in range(1, coupons_a_round + 1) -%}
    {%- set invoices = 'invoices' if loop.first else 'invoices_discounted_' ~ (place - 1) -%}
    {%- set fees = 'fees' if loop.first else 'fees_discounted_' ~ (place - 1) -%}
    {%- set last_order = 'invoices.last_order' if loop.first else 'invoices.coupon_order' -%}
    {%- set amount = 'invoices.amount_cents' if loop.first else 'invoices.discounted_cents' -%}
    {%- set ending = '' if loop.last else '_' ~ place %}
coupon_candidates_{{ place }} as (

    select
        invoices.chain_id,
        invoices.step_no,
        invoices.invoice_id,
        {{ amount }} as subtotal_cents,
        balances.source_id,
        balances.source_order,
        balances.balance_cents,
        coupons.coupon_type,
        coupons.frequency,
        coupons.amount_cents as coupon_amount_cents,
        coupons.percentage_rate,
        coupons.is_limited,
        count(*) over (partition by invoices.invoice_id) as candidates_count,
        row_number() over (partition by invoices.invoice_id order by balances.source_order) as place
    from {{ invoices }} as invoices
    inner join balances
        on
            invoices.chain_id = balances.chain_id
            and invoices.step_no = balances.step_no
            and balances.source_type = 'coupon'
    inner join {{ ref('int_coupons_applied') }} as coupons
        on balances.source_id = coupons.source_id
    left join (
        select distinct
            coupon_fees.source_id,
            coupon_fees.invoice_id
        from {{ ref('int_coupon_fees') }} as coupon_fees
    ) as concerned
        on
            balances.source_id = concerned.source_id
            and invoices.invoice_id = concerned.invoice_id
    where
        {% if loop.first -%}
            invoices.stage < 2
            and invoices.is_discountable
            and invoices.fees_amount_cents > 0
            and invoices.amount_cents > 0
        {%- else -%}
            invoices.has_more_coupons
        {%- endif %}
        and balances.source_order > {{ last_order }}
        and coalesce(balances.periods_left, 1) > 0
        and (concerned.source_id is not null or not coupons.is_limited)
        and (coupons.coupon_type = 'percentage' or coupons.currency = invoices.currency)
        and invoices.entry_at < coalesce(coupons.terminated_at, {{ end_of_time() }})

),

coupon_fees_{{ place }} as (

    select
        candidates.invoice_id,
        fees.fee_id,
        fees.amount_e5 - fees.coupon_share_e5 as weight_e5
    from coupon_candidates_{{ place }} as candidates
    inner join {{ fees }} as fees
        on candidates.invoice_id = fees.invoice_id
    left join {{ ref('int_coupon_fees') }} as concerned
        on
            candidates.source_id = concerned.source_id
            and fees.fee_id = concerned.fee_id
    where candidates.place = 1 and (concerned.fee_id is not null or not candidates.is_limited)

),

coupon_bases_{{ place }} as (

    select
        candidates.chain_id,
        candidates.step_no,
        candidates.invoice_id,
        candidates.source_id,
        candidates.source_order,
        candidates.coupon_type,
        candidates.frequency,
        candidates.balance_cents,
        candidates.coupon_amount_cents,
        candidates.percentage_rate,
        candidates.candidates_count,
        candidates.subtotal_cents,
        case
            when candidates.is_limited then sum(coupon_fees.weight_e5)
            else max({{ cents_to_e5('candidates.subtotal_cents') }})
        end as base_e5
    from coupon_candidates_{{ place }} as candidates
    inner join coupon_fees_{{ place }} as coupon_fees
        on candidates.invoice_id = coupon_fees.invoice_id
    where candidates.place = 1
    group by
        candidates.chain_id, candidates.step_no, candidates.invoice_id, candidates.source_id, candidates.source_order,
        candidates.coupon_type, candidates.frequency, candidates.balance_cents, candidates.coupon_amount_cents,
        candidates.percentage_rate, candidates.candidates_count, candidates.subtotal_cents, candidates.is_limited

),

{# whole cents, never more than the fees concerned or the invoice have left #}
coupon_credits_{{ place }} as (

    select
        bases.*,
        least(
            cast({{ divide_floor('greatest(bases.base_e5, 0)', '100000') }} as bigint),
            bases.subtotal_cents,
            case
                when bases.coupon_type = 'percentage' then cast(
                    {{ divide_half_away(
                        multiply_divide(
                            'greatest(bases.base_e5, 0)', scaled_percent('bases.percentage_rate'), '100000000000000',
                            cut=true
                        ),
                        '100000'
                    ) }} as bigint
                )
                when bases.frequency = 'once' then bases.balance_cents
                else bases.coupon_amount_cents
            end
        ) as credit_cents
    from coupon_bases_{{ place }} as bases

),

fees_discounted{{ ending }} as (

    select
        fees.chain_id,
        fees.invoice_id,
        fees.fee_id,
        fees.fee_type,
        fees.billable_metric_code,
        fees.amount_e5,
        fees.precise_e10,
        fees.taxes_rate,
        case
            when coupon_fees.fee_id is null or credits.credit_cents = 0 then fees.coupon_share_e5
            else fees.coupon_share_e5 + least(
                coupon_fees.weight_e5,
                {{ multiply_divide(
                    'greatest(coupon_fees.weight_e5, 0)', cents_to_e5('credits.credit_cents'), 'credits.base_e5'
                ) }}
            )
        end as coupon_share_e5,
        fees.credit_note_share_e5,
        fees.taxes_amount_cents,
        fees.precise_taxes_e10
    from {{ fees }} as fees
    left join coupon_fees_{{ place }} as coupon_fees
        on fees.fee_id = coupon_fees.fee_id
    left join coupon_credits_{{ place }} as credits
        on fees.invoice_id = credits.invoice_id

),

invoices_discounted{{ ending }} as (

    select
        invoices.chain_id,
        invoices.step_no,
        invoices.invoice_id,
        invoices.entry_at,
        invoices.stage,
        invoices.last_order,
        invoices.currency,
        invoices.is_discountable,
        invoices.rest_e10,
        coalesce(credits.source_order, {{ last_order }}) as coupon_order,
        {{ amount }} - coalesce(credits.credit_cents, 0) as discounted_cents,
        coalesce(credits.candidates_count > 1, false) and {{ amount }} > coalesce(credits.credit_cents, 0)
            as has_more_coupons
    from {{ invoices }} as invoices
    left join coupon_credits_{{ place }} as credits
        on invoices.invoice_id = credits.invoice_id

),

{% endfor -%}
{# ---- taxes, once no coupon is left: one rounding for the invoice, one for each fee (section 2) #}
fees_taxed as (

    select
        fees.chain_id,
        fees.invoice_id,
        fees.fee_id,
        fees.fee_type,
        fees.billable_metric_code,
        fees.coupon_share_e5,
        fees.credit_note_share_e5,
        fees.amount_e5 - fees.coupon_share_e5 as sub_e5,
        invoices.stage < 2 as is_taxed_now,
        (fees.amount_e5 - fees.coupon_share_e5) * {{ scaled_percent('fees.taxes_rate') }} as scaled_tax,
        case
            when invoices.stage < 2 then cast(
                {{ divide_half_away(
                    '(fees.amount_e5 - fees.coupon_share_e5) * ' ~ scaled_percent('fees.taxes_rate'),
                    power_of_ten(19)
                ) }} as bigint
            )
            else fees.taxes_amount_cents
        end as taxes_amount_cents,
        case
            when invoices.stage < 2
                then {{ signed_percent_of(
                    '(fees.precise_e10 - ' ~ e5_to_e10('fees.coupon_share_e5') ~ ')', 'fees.taxes_rate'
                ) }}
            else fees.precise_taxes_e10
        end as precise_taxes_e10
    from fees_discounted as fees
    inner join invoices_discounted as invoices
        on fees.invoice_id = invoices.invoice_id
    where not invoices.has_more_coupons

),

tax_sums as (

    select
        fees_taxed.invoice_id,
        cast({{ divide_half_away('sum(fees_taxed.scaled_tax)', power_of_ten(19)) }} as bigint) as taxes_amount_cents
    from fees_taxed
    where fees_taxed.is_taxed_now
    group by fees_taxed.invoice_id

),

invoices_taxed as (

    select
        invoices.*,
        case when invoices.stage < 2 and not invoices.has_more_coupons then coalesce(sums.taxes_amount_cents, 0) end
            as taxes_amount_cents,
        invoices.discounted_cents + case
            when invoices.stage < 2 and not invoices.has_more_coupons then coalesce(sums.taxes_amount_cents, 0)
            else 0
        end as due_cents,
        case when invoices.stage = 2 then invoices.last_order else 0 end as last_note_order,
        case when invoices.stage = 3 then invoices.last_order else 0 end as last_wallet_order
    from invoices_discounted as invoices
    left join tax_sums as sums
        on invoices.invoice_id = sums.invoice_id

),

{# ---- stage 2: the oldest credit note with a balance (section 6.4) #}
note_candidates as (

    select
        invoices.invoice_id,
        invoices.due_cents,
        balances.source_id,
        balances.source_order,
        least(balances.balance_cents, invoices.due_cents) as credit_cents,
        count(*) over (partition by invoices.invoice_id) as candidates_count,
        row_number() over (partition by invoices.invoice_id order by balances.source_order) as place
    from invoices_taxed as invoices
    inner join balances
        on
            invoices.chain_id = balances.chain_id
            and invoices.step_no = balances.step_no
            and balances.source_type = 'credit_note'
            and balances.currency = invoices.currency
            and balances.source_order > invoices.last_note_order
            and balances.origin_invoice_id <> invoices.invoice_id
    where
        invoices.stage < 3
        and not invoices.has_more_coupons
        and invoices.is_discountable
        and invoices.due_cents > 0
        and balances.balance_cents > 0

),

fees_noted as (

    select
        fees.*,
        case
            when notes.invoice_id is null then fees.credit_note_share_e5
            else fees.credit_note_share_e5 + {{ multiply_divide(
                'greatest(fees.sub_e5 + ' ~ cents_to_e5('fees.taxes_amount_cents') ~ ' - fees.credit_note_share_e5, 0)',
                'notes.credit_cents', 'notes.due_cents'
            ) }}
        end as noted_share_e5
    from fees_taxed as fees
    left join note_candidates as notes
        on
            fees.invoice_id = notes.invoice_id
            and notes.place = 1

),

invoices_noted as (

    select
        invoices.*,
        notes.source_id as note_id,
        notes.source_order as note_order,
        coalesce(notes.credit_cents, 0) as note_cents,
        invoices.due_cents - coalesce(notes.credit_cents, 0) as rest_cents,
        coalesce(notes.candidates_count > 1, false) and invoices.due_cents > coalesce(notes.credit_cents, 0)
            as has_more_notes
    from invoices_taxed as invoices
    left join note_candidates as notes
        on
            invoices.invoice_id = notes.invoice_id
            and notes.place = 1

),

{# ---- stage 3: the next wallet, over the fees' buckets (section 7.1) #}
wallet_candidates as (

    select
        invoices.chain_id,
        invoices.step_no,
        invoices.invoice_id,
        invoices.rest_cents,
        invoices.stage = 3 as has_buckets,
        case when invoices.stage = 3 then invoices.rest_e10 else {{ cents_to_e10('invoices.rest_cents') }} end
            as left_e10,
        balances.source_id,
        balances.source_order,
        balances.balance_cents,
        count(*) over (partition by invoices.invoice_id) as candidates_count,
        row_number() over (partition by invoices.invoice_id order by balances.source_order) as place
    from invoices_noted as invoices
    inner join balances
        on
            invoices.chain_id = balances.chain_id
            and invoices.step_no = balances.step_no
            and balances.source_type = 'wallet'
            and balances.currency = invoices.currency
            and balances.source_order > invoices.last_wallet_order
    where
        not invoices.has_more_coupons
        and not invoices.has_more_notes
        and invoices.is_discountable
        and invoices.rest_cents > 0
        and balances.balance_cents > 0

),

fee_caps as (

    select
        fees.invoice_id,
        {# what fills a charge up to its minimum is a fee of that charge #}
        case fees.fee_type when 'true_up' then 'charge' else fees.fee_type end as fee_type,
        coalesce(fees.billable_metric_code, '') as metric_code,
        {{ e5_to_e10('fees.sub_e5 - fees.noted_share_e5') }} + fees.precise_taxes_e10 as cap_e10
    from fees_noted as fees
    inner join wallet_candidates as candidates
        on
            fees.invoice_id = candidates.invoice_id
            and candidates.place = 1
            and not candidates.has_buckets
    where fees.sub_e5 <> 0

),

bucket_sizes as (

    select
        fee_caps.invoice_id,
        fee_caps.fee_type,
        fee_caps.metric_code,
        sum(fee_caps.cap_e10) as size_e10,
        row_number() over (
            partition by fee_caps.invoice_id
            order by
                sum(fee_caps.cap_e10) desc, {{ binary_order('fee_caps.fee_type') }},
                {{ binary_order('fee_caps.metric_code') }}
        ) as bucket_order
    from fee_caps
    where fee_caps.cap_e10 > 0
    group by fee_caps.invoice_id, fee_caps.fee_type, fee_caps.metric_code

),

bucket_sums as (

    select
        bucket_sizes.invoice_id,
        sum(bucket_sizes.size_e10) as all_e10,
        count(*) as buckets_count
    from bucket_sizes
    group by bucket_sizes.invoice_id

),

{# what rounding the invoice's taxes left between the buckets and the total goes to the largest #}
buckets as (

    select
        sizes.invoice_id,
        sizes.fee_type,
        sizes.metric_code,
        sizes.bucket_order,
        sizes.size_e10 + case
            when
                sizes.bucket_order = 1
                and candidates.left_e10 > sums.all_e10
                and candidates.left_e10 - sums.all_e10 <= sums.buckets_count * 10000000000
                then candidates.left_e10 - sums.all_e10
            else 0
        end as size_e10
    from bucket_sizes as sizes
    inner join bucket_sums as sums
        on sizes.invoice_id = sums.invoice_id
    inner join wallet_candidates as candidates
        on
            sizes.invoice_id = candidates.invoice_id
            and candidates.place = 1

    union all

    select
        settled.invoice_id,
        settled.row_id as fee_type,
        settled.parent_id as metric_code,
        settled.source_order as bucket_order,
        settled.rest_e10 as size_e10
    from {{ this }} as settled
    inner join wallet_candidates as candidates
        on
            settled.invoice_id = candidates.invoice_id
            and candidates.place = 1
            and candidates.has_buckets
    where settled.row_kind = 'bucket' and settled.round_no = {{ round }} - 1

),

open_buckets as (

    select
        candidates.invoice_id,
        buckets.fee_type,
        buckets.metric_code,
        buckets.size_e10,
        least(candidates.left_e10, {{ cents_to_e10('candidates.balance_cents') }}) as available_e10,
        sum(buckets.size_e10) over (
            partition by candidates.invoice_id
            order by buckets.bucket_order
            rows between unbounded preceding and current row
        ) - buckets.size_e10 as before_e10
    from wallet_candidates as candidates
    inner join {{ ref('int_wallets') }} as wallets
        on candidates.source_id = wallets.source_id
    inner join buckets
        on candidates.invoice_id = buckets.invoice_id
    where
        candidates.place = 1
        and (
            not wallets.is_limited
            or exists (
                select 1
                from {{ ref('stg_book__wallet_targets') }} as targets
                where
                    targets.organization_id = wallets.organization_id
                    and targets.wallet_code = wallets.wallet_code
                    and (
                        (targets.target_type = 'fee_type' and targets.target_code = buckets.fee_type)
                        or (targets.target_type = 'billable_metric' and targets.target_code = buckets.metric_code)
                    )
            )
        )

),

bucket_uses as (

    select
        open_buckets.invoice_id,
        open_buckets.fee_type,
        open_buckets.metric_code,
        least(open_buckets.size_e10, greatest(open_buckets.available_e10 - open_buckets.before_e10, 0)) as used_e10
    from open_buckets

),

wallet_uses as (

    select
        bucket_uses.invoice_id,
        sum(bucket_uses.used_e10) as used_e10
    from bucket_uses
    group by bucket_uses.invoice_id

),

wallet_credits as (

    select
        candidates.chain_id,
        candidates.step_no,
        candidates.invoice_id,
        candidates.source_id,
        candidates.source_order,
        candidates.candidates_count,
        candidates.left_e10 - coalesce(uses.used_e10, 0) as left_e10,
        least(
            cast({{ divide_half_away('coalesce(uses.used_e10, 0)', power_of_ten(10)) }} as bigint),
            candidates.rest_cents
        ) as credit_cents,
        wallets.scale_of_product,
        wallets.rate_e12
    from wallet_candidates as candidates
    inner join {{ ref('int_wallets') }} as wallets
        on candidates.source_id = wallets.source_id
    left join wallet_uses as uses
        on candidates.invoice_id = uses.invoice_id
    where candidates.place = 1

),

invoices_settled as (

    select
        invoices.*,
        credits.source_id as wallet_id,
        coalesce(credits.credit_cents, 0) as wallet_cents,
        coalesce(credits.left_e10, 0) as left_e10,
        case
            when invoices.has_more_coupons then 1
            when invoices.has_more_notes then 2
            when
                credits.candidates_count > 1
                and invoices.rest_cents > credits.credit_cents
                and credits.left_e10 > 0
                then 3
            else 9
        end as next_stage,
        case
            when invoices.has_more_coupons then invoices.coupon_order
            when invoices.has_more_notes then invoices.note_order
            else credits.source_order
        end as next_order
    from invoices_noted as invoices
    left join wallet_credits as credits
        on invoices.invoice_id = credits.invoice_id

),

{# ---- wallets that end or are voided in part (sections 7.2 and 7.3) #}
wallet_moves as (

    select
        steps.chain_id,
        steps.step_no,
        balances.source_id,
        balances.balance_cents as credit_cents,
        balances.credits_e5 as credits_e5,
        true as is_ended,
        steps.entry_id as move_id
    from steps
    inner join balances
        on
            steps.chain_id = balances.chain_id
            and steps.step_no = balances.step_no
            and steps.entry_id = balances.source_id
            and balances.source_type = 'wallet'
    where steps.entry_kind = 'wallet_end'

    union all

    select
        steps.chain_id,
        steps.step_no,
        balances.source_id,
        least(balances.balance_cents, transactions.amount_cents) as credit_cents,
        least(balances.credits_e5, transactions.credits_e5) as credits_e5,
        false as is_ended,
        steps.entry_id as move_id
    from steps
    inner join {{ ref('int_wallet_transactions') }} as transactions
        on
            steps.organization_id = transactions.organization_id
            and steps.entry_id = transactions.wallet_transaction_id
    inner join {{ ref('int_wallets') }} as wallets
        on
            transactions.organization_id = wallets.organization_id
            and transactions.wallet_code = wallets.wallet_code
    inner join balances
        on
            steps.chain_id = balances.chain_id
            and steps.step_no = balances.step_no
            and wallets.source_id = balances.source_id
    where steps.entry_kind = 'wallet_void'

    union all

    {# the refund of a purchase takes its credits out of the wallet (section 6.2) #}
    select
        amounts.chain_id,
        amounts.step_no,
        balances.source_id,
        amounts.refund_cents as credit_cents,
        least(
            balances.credits_e5,
            {{ divide_half_away(
                'cast(amounts.refund_cents as ' ~ wide_integer() ~ ') * wallets.scale_of_product', 'wallets.rate_e12'
            ) }}
        ) as credits_e5,
        false as is_ended,
        amounts.credit_note_id as move_id
    from issue_amounts as amounts
    inner join {{ ref('int_wallets') }} as wallets
        on amounts.wallet_source_id = wallets.source_id
    inner join balances
        on
            amounts.chain_id = balances.chain_id
            and amounts.step_no = balances.step_no
            and wallets.source_id = balances.source_id
    where amounts.refusal is null and amounts.refund_cents > 0

),

uses as (

    {% for place in range(1, coupons_a_round + 1) -%}
        select
            credits.chain_id,
            credits.step_no,
            'coupon' as source_type,
            credits.source_id,
            credits.invoice_id,
            cast(null as varchar) as move_id,
            credits.credit_cents as amount_cents,
            cast(0 as decimal(38, 0)) as credits_e5,
            1 as periods,
            false as is_ended
        from coupon_credits_{{ place }} as credits
        where credits.credit_cents > 0

        union all

    {% endfor -%}

    select
        invoices.chain_id,
        invoices.step_no,
        'credit_note' as source_type,
        invoices.note_id as source_id,
        invoices.invoice_id,
        cast(null as varchar) as move_id,
        invoices.note_cents as amount_cents,
        cast(0 as decimal(38, 0)) as credits_e5,
        0 as periods,
        false as is_ended
    from invoices_settled as invoices
    where invoices.note_cents > 0

    union all

    select
        credits.chain_id,
        credits.step_no,
        'wallet' as source_type,
        credits.source_id,
        credits.invoice_id,
        cast(null as varchar) as move_id,
        credits.credit_cents as amount_cents,
        cast(
            {{ divide_half_away(
                'cast(credits.credit_cents as ' ~ wide_integer() ~ ') * credits.scale_of_product', 'credits.rate_e12'
            ) }} as decimal(38, 0)
        ) as credits_e5,
        0 as periods,
        false as is_ended
    from wallet_credits as credits
    where credits.credit_cents > 0

    union all

    select
        wallet_moves.chain_id,
        wallet_moves.step_no,
        'wallet' as source_type,
        wallet_moves.source_id,
        cast(null as varchar) as invoice_id,
        wallet_moves.move_id,
        wallet_moves.credit_cents as amount_cents,
        wallet_moves.credits_e5,
        0 as periods,
        wallet_moves.is_ended
    from wallet_moves

    union all

    select
        reopened.chain_id,
        reopened.step_no,
        reopened.source_type,
        reopened.source_id,
        reopened.invoice_id,
        cast(null as varchar) as move_id,
        -reopened.amount_cents as amount_cents,
        -reopened.credits_e5 as credits_e5,
        -1 as periods,
        false as is_ended
    from reopened

),

{# a fixed coupon used once lives on its rest, others on their periods; one without an end lives on #}
balances_used as (

    select
        balances.chain_id,
        balances.step_no,
        balances.source_type,
        balances.source_id,
        balances.currency,
        balances.origin_invoice_id,
        balances.source_order,
        uses.invoice_id,
        uses.move_id,
        coalesce(uses.amount_cents, 0) as amount_cents,
        coalesce(uses.credits_e5, 0) as taken_credits_e5,
        coalesce(uses.is_ended, false) as is_ended,
        uses.source_id is not null as is_used,
        balances.changes > 0 as is_begun,
        balances.balance_cents,
        balances.credits_e5,
        balances.periods_left,
        balances.source_type <> 'coupon'
        or coalesce(coupons.coupon_type = 'fixed_amount' and coupons.frequency = 'once', false) as is_carried,
        {% for used, taken in [
            ('used_cents', 'uses.amount_cents'),
            ('used_credits_e5', 'uses.credits_e5'),
            ('used_periods', 'uses.periods'),
            ('uses_count', 'case when uses.source_id is not null then 1 end'),
        ] -%}
            sum(coalesce({{ taken }}, 0)) over (
                partition by balances.chain_id, balances.source_type, balances.source_id
                order by balances.step_no
                rows between unbounded preceding and current row
            ) as {{ used }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from balances
    left join uses
        on
            balances.chain_id = uses.chain_id
            and balances.step_no = uses.step_no
            and balances.source_type = uses.source_type
            and balances.source_id = uses.source_id
    left join {{ ref('int_coupons_applied') }} as coupons
        on
            balances.source_type = 'coupon'
            and balances.source_id = coupons.source_id

),

{# the batch holds up to the step with which a balance would be overdrawn, or an invoice needs another round #}
overdrafts as (

    select
        used.chain_id,
        min(used.step_no) as step_no
    from balances_used as used
    where
        used.is_used
        and case
            when used.is_carried then used.used_cents > used.balance_cents
            else used.used_periods > used.periods_left
        end
    group by used.chain_id

),

unfinished as (

    select
        invoices.chain_id,
        min(invoices.step_no) as step_no
    from invoices_settled as invoices
    where invoices.next_stage <> 9
    group by invoices.chain_id

),

batches as (

    select
        held.chain_id,
        held.last_step_no,
        case
            when held.last_step_no = held.asked_step_no and held.steps_count >= held.batch_size
                then held.batch_size * 8
            when held.last_step_no = held.asked_step_no then held.batch_size
            else 16
        end as batch_size
    from (
        select
            asked.chain_id,
            asked.asked_step_no,
            asked.steps_count,
            asked.batch_size,
            {# the first step always holds #}
            greatest(
                least(
                    asked.asked_step_no,
                    coalesce(overdrafts.step_no - 1, asked.asked_step_no),
                    coalesce(unfinished.step_no, asked.asked_step_no)
                ),
                asked.first_step_no
            ) as last_step_no
        from (
            select
                steps.chain_id,
                min(steps.step_no) as first_step_no,
                max(steps.step_no) as asked_step_no,
                count(*) as steps_count,
                max(steps.batch_size) as batch_size
            from steps
            group by steps.chain_id
        ) as asked
        left join overdrafts
            on asked.chain_id = overdrafts.chain_id
        left join unfinished
            on asked.chain_id = unfinished.chain_id
    ) as held

),

{# what was taken at each step, and the state of every balance at the last #}
balances_after as (

    select
        used.chain_id,
        used.step_no,
        used.source_type,
        used.source_id,
        used.currency,
        used.origin_invoice_id,
        used.source_order,
        used.invoice_id,
        used.move_id,
        used.amount_cents,
        used.taken_credits_e5,
        used.is_ended,
        used.is_carried,
        used.is_begun or used.uses_count > 0 as is_changed,
        used.step_no = batches.last_step_no as is_last,
        case when used.is_carried then used.balance_cents - used.used_cents else used.balance_cents end
            as balance_cents,
        used.credits_e5 - used.used_credits_e5 as credits_e5,
        case
            when used.source_type = 'coupon' and used.is_carried then used.periods_left
            else used.periods_left - used.used_periods
        end as periods_left
    from balances_used as used
    inner join batches
        on
            used.chain_id = batches.chain_id
            and used.step_no <= batches.last_step_no
    where used.is_used or used.step_no = batches.last_step_no

),

{# ---- what the round leaves #}
rows_left as (

    select
        invoices.chain_id,
        invoices.step_no,
        'cursor' as row_kind,
        invoices.invoice_id as row_id,
        cast(null as varchar) as parent_id,
        invoices.invoice_id,
        invoices.next_stage as stage,
        cast(coalesce(invoices.next_order, 0) as bigint) as source_order,
        cast(null as varchar) as currency,
        cast(null as varchar) as origin_invoice_id,
        case
            when invoices.has_more_coupons then invoices.discounted_cents
            else invoices.rest_cents - invoices.wallet_cents
        end as amount_cents,
        cast(0 as bigint) as balance_cents,
        cast(null as integer) as periods_left,
        cast(0 as decimal(38, 0)) as credits_e5,
        cast(0 as decimal(38, 0)) as taken_credits_e5,
        cast(0 as decimal(38, 0)) as coupon_share_e5,
        cast(0 as decimal(38, 0)) as credit_note_share_e5,
        invoices.taxes_amount_cents,
        cast(0 as decimal(38, 0)) as precise_taxes_e10,
        cast(invoices.left_e10 as decimal(38, 0)) as rest_e10,
        cast(0 as decimal(38, 0)) as item_e5,
        cast(0 as bigint) as refund_cents,
        cast(0 as bigint) as offset_cents,
        cast(null as varchar) as refusal,
        false as is_live,
        false as is_changed,
        batches.batch_size
    from invoices_settled as invoices
    inner join batches
        on
            invoices.chain_id = batches.chain_id
            and invoices.step_no = batches.last_step_no

    union all

    select
        steps.chain_id,
        steps.step_no,
        'cursor' as row_kind,
        steps.entry_id as row_id,
        null as parent_id,
        null as invoice_id,
        9 as stage,
        0 as source_order,
        null as currency,
        null as origin_invoice_id,
        0 as amount_cents,
        0 as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        0 as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        0 as precise_taxes_e10,
        0 as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        false as is_live,
        false as is_changed,
        16 as batch_size
    from steps
    where steps.entry_kind not in ('invoice', 'draft')

    union all

    select
        fees.chain_id,
        invoices.step_no,
        'fee' as row_kind,
        fees.fee_id as row_id,
        null as parent_id,
        fees.invoice_id,
        invoices.next_stage as stage,
        0 as source_order,
        null as currency,
        null as origin_invoice_id,
        0 as amount_cents,
        0 as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        cast(fees.coupon_share_e5 as decimal(38, 0)) as coupon_share_e5,
        cast(coalesce(noted.noted_share_e5, fees.credit_note_share_e5) as decimal(38, 0)) as credit_note_share_e5,
        coalesce(noted.taxes_amount_cents, fees.taxes_amount_cents) as taxes_amount_cents,
        cast(coalesce(noted.precise_taxes_e10, fees.precise_taxes_e10) as decimal(38, 0)) as precise_taxes_e10,
        0 as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        false as is_live,
        false as is_changed,
        cast(null as bigint) as batch_size
    from fees_discounted as fees
    inner join invoices_settled as invoices
        on fees.invoice_id = invoices.invoice_id
    inner join batches
        on
            invoices.chain_id = batches.chain_id
            and invoices.step_no <= batches.last_step_no
    left join fees_noted as noted
        on fees.fee_id = noted.fee_id

    union all

    select
        invoices.chain_id,
        invoices.step_no,
        'bucket' as row_kind,
        buckets.fee_type as row_id,
        buckets.metric_code as parent_id,
        buckets.invoice_id,
        invoices.next_stage as stage,
        buckets.bucket_order as source_order,
        null as currency,
        null as origin_invoice_id,
        0 as amount_cents,
        0 as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        0 as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        0 as precise_taxes_e10,
        cast(buckets.size_e10 - coalesce(bucket_uses.used_e10, 0) as decimal(38, 0)) as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        false as is_live,
        false as is_changed,
        cast(null as bigint) as batch_size
    from buckets
    inner join invoices_settled as invoices
        on
            buckets.invoice_id = invoices.invoice_id
            and invoices.next_stage = 3
    inner join batches
        on
            invoices.chain_id = batches.chain_id
            and invoices.step_no = batches.last_step_no
    left join bucket_uses
        on
            buckets.invoice_id = bucket_uses.invoice_id
            and buckets.fee_type = bucket_uses.fee_type
            and buckets.metric_code = bucket_uses.metric_code

    union all

    select
        balances.chain_id,
        balances.step_no,
        balances.source_type as row_kind,
        balances.source_id as row_id,
        balances.move_id as parent_id,
        balances.invoice_id,
        9 as stage,
        balances.source_order,
        balances.currency,
        balances.origin_invoice_id,
        balances.amount_cents,
        balances.balance_cents,
        balances.periods_left,
        cast(balances.credits_e5 as decimal(38, 0)) as credits_e5,
        cast(balances.taken_credits_e5 as decimal(38, 0)) as taken_credits_e5,
        0 as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        0 as precise_taxes_e10,
        0 as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        case
            when balances.is_ended or not balances.is_last then false
            when balances.source_type = 'wallet' then balances.balance_cents <> 0 or balances.credits_e5 <> 0
            when balances.source_type = 'credit_note' or balances.is_carried then balances.balance_cents > 0
            else coalesce(balances.periods_left, 1) > 0
        end as is_live,
        balances.is_changed,
        null as batch_size
    from balances_after as balances

    union all

    select
        amounts.chain_id,
        amounts.step_no,
        'issue' as row_kind,
        amounts.credit_note_id as row_id,
        null as parent_id,
        amounts.invoice_id,
        9 as stage,
        amounts.issue_order as source_order,
        amounts.currency,
        amounts.invoice_id as origin_invoice_id,
        case when amounts.refusal is null then amounts.total_cents else 0 end as amount_cents,
        case when amounts.refusal is null then amounts.credit_cents else 0 end as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        cast(case when amounts.refusal is null then amounts.coupon_e5 else 0 end as decimal(38, 0)) as coupon_share_e5,
        0 as credit_note_share_e5,
        case when amounts.refusal is null then amounts.tax_cents else 0 end as taxes_amount_cents,
        cast(case when amounts.refusal is null then amounts.precise_tax_e5 else 0 end as decimal(38, 0))
            as precise_taxes_e10,
        0 as rest_e10,
        cast(case when amounts.refusal is null then amounts.items_e5 else 0 end as decimal(38, 0)) as item_e5,
        case when amounts.refusal is null then amounts.refund_cents else 0 end as refund_cents,
        case when amounts.refusal is null then amounts.offset_cents else 0 end as offset_cents,
        amounts.refusal,
        false as is_live,
        false as is_changed,
        cast(null as bigint) as batch_size
    from issue_amounts as amounts

    union all

    select
        amounts.chain_id,
        amounts.step_no,
        'item' as row_kind,
        items.fee_id as row_id,
        amounts.credit_note_id as parent_id,
        amounts.invoice_id,
        9 as stage,
        0 as source_order,
        amounts.currency,
        amounts.invoice_id as origin_invoice_id,
        0 as amount_cents,
        0 as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        cast({{ divide_half_away('items.item_share_e10', '100000') }} as decimal(38, 0)) as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        cast({{ divide_half_away('items.tax_e10', '100000') }} as decimal(38, 0)) as precise_taxes_e10,
        0 as rest_e10,
        cast(items.item_e5 as decimal(38, 0)) as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        false as is_live,
        false as is_changed,
        cast(null as bigint) as batch_size
    from issue_amounts as amounts
    inner join issue_items as items
        on amounts.credit_note_id = items.credit_note_id
    where amounts.refusal is null and items.item_e5 > 0

    union all

    select
        amounts.chain_id,
        amounts.step_no,
        'credit_note' as row_kind,
        amounts.credit_note_id as row_id,
        null as parent_id,
        null as invoice_id,
        9 as stage,
        amounts.issue_order as source_order,
        amounts.currency,
        amounts.invoice_id as origin_invoice_id,
        0 as amount_cents,
        amounts.credit_cents as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        0 as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        0 as precise_taxes_e10,
        0 as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        true as is_live,
        true as is_changed,
        cast(null as bigint) as batch_size
    from issue_amounts as amounts
    where
        amounts.refusal is null
        and amounts.credit_cents > 0
        and amounts.request_kind <> 'progressive_billing'

    union all

    select
        credits.chain_id,
        credits.step_no,
        'progressive' as row_kind,
        credits.progressive_invoice_id as row_id,
        null as parent_id,
        credits.invoice_id,
        9 as stage,
        0 as source_order,
        null as currency,
        null as origin_invoice_id,
        credits.credit_cents as amount_cents,
        credits.open_cents - credits.credit_cents as balance_cents,
        null as periods_left,
        0 as credits_e5,
        0 as taken_credits_e5,
        0 as coupon_share_e5,
        0 as credit_note_share_e5,
        null as taxes_amount_cents,
        0 as precise_taxes_e10,
        0 as rest_e10,
        0 as item_e5,
        0 as refund_cents,
        0 as offset_cents,
        null as refusal,
        false as is_live,
        false as is_changed,
        cast(null as bigint) as batch_size
    from progressive_credits as credits

)

select
    cast({{ round }} as integer) as round_no,
    rows_left.chain_id,
    rows_left.step_no,
    rows_left.row_kind,
    rows_left.row_id,
    rows_left.parent_id,
    rows_left.invoice_id,
    cast(rows_left.stage as integer) as stage,
    cast(rows_left.source_order as bigint) as source_order,
    rows_left.currency,
    rows_left.origin_invoice_id,
    cast(rows_left.amount_cents as bigint) as amount_cents,
    cast(rows_left.balance_cents as bigint) as balance_cents,
    cast(rows_left.periods_left as integer) as periods_left,
    rows_left.credits_e5,
    rows_left.taken_credits_e5,
    rows_left.coupon_share_e5,
    rows_left.credit_note_share_e5,
    cast(rows_left.taxes_amount_cents as bigint) as taxes_amount_cents,
    rows_left.precise_taxes_e10,
    rows_left.rest_e10,
    rows_left.item_e5,
    cast(rows_left.refund_cents as bigint) as refund_cents,
    cast(rows_left.offset_cents as bigint) as offset_cents,
    rows_left.refusal,
    rows_left.is_live,
    rows_left.is_changed,
    rows_left.batch_size
from rows_left
