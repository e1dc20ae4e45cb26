{#
  The credit notes that are issued in this round and what each takes of which fee (
  "Credit notes" in docs/billing-rules.md): notes that were asked for, for unused days, for late usage, and for what a
  progressive invoice charged too much. Reads `steps`, `progressive_credits` and all earlier rounds.

    issues       one row per note, issue_order going on from step to step
    issue_fees   one row per note and fee of its invoice: how much of it is credited (item_e5), and was before
                 (credited_e5)
    issue_items  the same with the item's share of coupons and its tax, in 10^-10 cents
    issue_sums   one row per note: its items together
#}
{% macro settlement_note_items() -%}
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
        and settled.round_no < {{ current_round() }}
    group by settled.row_id

),

earlier_notes as (

    select
        settled.invoice_id,
        cast(sum(settled.refund_cents) as bigint) as refund_cents,
        cast(sum(settled.offset_cents) as bigint) as offset_cents,
        sum({{ cents_to_e5('settled.taxes_amount_cents') }} - settled.precise_taxes_e10) as tax_rounding_e5
    from {{ this }} as settled
    where
        settled.row_kind = 'issue'
        and settled.invoice_id in (select issues.invoice_id from issues)
        and settled.round_no < {{ current_round() }}
    group by settled.invoice_id

),

{# what was taken off the invoices in this close, before tax and after it #}
earlier_uses as (

    select
        settled.invoice_id,
        cast(
            sum(case when settled.row_kind in ('coupon', 'progressive') then settled.amount_cents else 0 end) as bigint
        ) as discount_cents,
        cast(
            sum(case when settled.row_kind in ('credit_note', 'wallet') then settled.amount_cents else 0 end) as bigint
        ) as used_cents
    from {{ this }} as settled
    where
        settled.row_kind in ('coupon', 'progressive', 'credit_note', 'wallet')
        and settled.invoice_id in (select issues.invoice_id from issues)
        and settled.round_no < {{ current_round() }}
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
        and settled.round_no < {{ current_round() }}

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
        greatest(
            coalesce(credited.ledger_share_e5, settled_fees.coupon_share_e5, 0)
            - coalesce(credited.progressive_share_e5, 0), 0
        ) as share_e5,
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
        {# the plan fee with its exact tax, that of all its unused days, and all fees of the invoice and their tax #}
        sum(
            case when items.is_unused_fee then items.precise_e10 - {{ e5_to_e10('items.share_e5') }} + items.fee_tax_e10
                else 0 end
        ) as unused_fee_e10,
        sum(
            case when items.is_unused_fee and items.item_e5 > 0
                then {{ multiply_divide(
                    '(items.net_e10 + items.tax_e10)', '(items.item_e5 + items.credited_e5)', 'items.item_e5'
                ) }}
                else 0 end
        ) as unused_part_e10,
        cast({{ divide_half_away('sum(items.amount_e5)', '100000') }} as bigint) as fees_cents,
        cast({{ divide_half_away(
            'sum((items.amount_e5 - items.share_e5) * ' ~ scaled_percent('items.taxes_rate') ~ ')', power_of_ten(19)
        ) }} as bigint) as fees_tax_cents
    from issue_items as items
    group by items.credit_note_id

)
{%- endmacro %}
