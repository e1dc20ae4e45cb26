{#
  What the notes of this round come to, or why one is refused ("Credit notes" in
  docs/billing-rules.md). Reads `issues`, `issue_sums`, `earlier_notes`, `earlier_uses`, `live` and `steps`.

    issue_taxes      one row per note: exact tax, the last note of an invoice taking the roundings of the earlier ones
    issue_totals     its tax, net and total, each rounded once to cents
    wallet_holdings  one row per chain and wallet: what a note may take out of it
    issue_decisions  one row per note: its total, and `refusal`, the reason where it may not be made
    issue_amounts    one row per note that is made or refused: the parts of its total that are credited, refunded and
                     offset
#}
{% macro settlement_note_amounts() -%}
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
        issues.ledger_covered_amount_cents + coalesce(earlier_notes.offset_cents, 0)
        + coalesce(earlier_uses.used_cents, 0) as covered_cents,
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
        {# what the invoice asked for, with its tax #}
        coalesce(
            issues.ledger_sub_total_cents,
            sums.fees_cents - coalesce(earlier_uses.discount_cents, 0) + sums.fees_tax_cents
        ) as invoice_cents,
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
    left join earlier_uses
        on issues.invoice_id = earlier_uses.invoice_id

),

issue_totals as (

    select
        rounded.*,
        {# what is still due of it #}
        greatest(rounded.invoice_cents - rounded.covered_cents - rounded.paid_amount_cents, 0) as due_cents,
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
            {# on a draft as much as is due in the end #}
            when totals.offset_amount_cents > totals.due_cents and not totals.is_of_draft
                then 'the offset is above what is due of the invoice'
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
        end as unused_refund_cents
    from issue_parts as decisions

),

issue_refunds as (

    select
        splits.*,
        case
            when splits.request_kind <> 'requested' then splits.unused_refund_cents
            when splits.credit_amount_cents > 0 or splits.refund_amount_cents = 0 then splits.refund_part_cents
            else splits.total_cents - splits.offset_part_cents
        end as refund_cents
    from issue_splits as splits
    where splits.total_cents > 0 or splits.refusal is not null

),

{# set off is never more than what is due; what is neither refunded nor set off is credit #}
issue_offsets as (

    select
        refunds.*,
        least(
            refunds.due_cents,
            case
                when refunds.request_kind <> 'requested' and refunds.policy <> 'offset' then 0
                when refunds.request_kind = 'requested'
                    and (refunds.credit_amount_cents > 0 or refunds.refund_amount_cents > 0)
                    then refunds.offset_part_cents
                else refunds.total_cents - refunds.refund_cents
            end
        ) as offset_cents
    from issue_refunds as refunds

),

issue_amounts as (

    select
        offsets.*,
        offsets.total_cents - offsets.refund_cents - offsets.offset_cents as credit_cents
    from issue_offsets as offsets

)
{%- endmacro %}
