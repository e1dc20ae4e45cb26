{#
  What the round leaves: the whole state of its chains, from which the next begins, and what was taken. Columns as the
  contract of int_settlement describes them. Reads most of the above.

    rows_left  one row per thing left: cursors, fees and buckets of invoices under way, balances, credit notes with
               their items, progressive credits
#}
{% macro settlement_rows() -%}
rows_left as (

    {# where the invoice stands with which a chain goes on #}
    select
        {{ settlement_row("'cursor'",
            chain_id="invoices.chain_id",
            step_no="invoices.step_no",
            row_id="invoices.invoice_id",
            invoice_id="invoices.invoice_id",
            stage="invoices.next_stage",
            source_order="coalesce(invoices.next_order, 0)",
            amount_cents="
                case
                    when invoices.has_more_coupons then invoices.discounted_cents
                    else invoices.rest_cents - invoices.wallet_cents
                end",
            taxes_amount_cents="invoices.taxes_amount_cents",
            rest_e10="invoices.left_e10",
            batch_size="batches.batch_size",
        ) }}
    from invoices_settled as invoices
    inner join batches
        on
            invoices.chain_id = batches.chain_id
            and invoices.step_no = batches.last_step_no

    union all

    {# steps without an invoice are done at once #}
    select
        {{ settlement_row("'cursor'",
            chain_id="steps.chain_id",
            step_no="steps.step_no",
            row_id="steps.entry_id",
            batch_size="16",
        ) }}
    from steps
    where steps.entry_kind not in ('invoice', 'draft')

    union all

    {# the fees of every invoice of the batch, with their shares and tax #}
    select
        {{ settlement_row("'fee'",
            chain_id="fees.chain_id",
            step_no="invoices.step_no",
            row_id="fees.fee_id",
            invoice_id="fees.invoice_id",
            stage="invoices.next_stage",
            coupon_share_e5="fees.coupon_share_e5",
            credit_note_share_e5="coalesce(noted.noted_share_e5, fees.credit_note_share_e5)",
            taxes_amount_cents="coalesce(noted.taxes_amount_cents, fees.taxes_amount_cents)",
            precise_taxes_e10="coalesce(noted.precise_taxes_e10, fees.precise_taxes_e10)",
        ) }}
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

    {# what the buckets of the invoice under way have left, where another wallet waits #}
    select
        {{ settlement_row("'bucket'",
            chain_id="invoices.chain_id",
            step_no="invoices.step_no",
            row_id="buckets.fee_type",
            parent_id="buckets.metric_code",
            invoice_id="buckets.invoice_id",
            stage="invoices.next_stage",
            source_order="buckets.bucket_order",
            rest_e10="buckets.size_e10 - coalesce(bucket_uses.used_e10, 0)",
        ) }}
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

    {# what was taken of a balance, and at the last step what it has left #}
    select
        {{ settlement_row("balances.source_type",
            chain_id="balances.chain_id",
            step_no="balances.step_no",
            row_id="balances.source_id",
            parent_id="balances.move_id",
            invoice_id="balances.invoice_id",
            source_order="balances.source_order",
            currency="balances.currency",
            origin_invoice_id="balances.origin_invoice_id",
            amount_cents="balances.amount_cents",
            balance_cents="balances.balance_cents",
            periods_left="balances.periods_left",
            credits_e5="balances.credits_e5",
            taken_credits_e5="balances.taken_credits_e5",
            is_live="
                case
                    when balances.is_ended or not balances.is_last then false
                    when balances.source_type = 'wallet' then balances.balance_cents <> 0 or balances.credits_e5 <> 0
                    when balances.source_type = 'credit_note' or balances.is_carried then balances.balance_cents > 0
                    else coalesce(balances.periods_left, 1) > 0
                end",
            is_changed="balances.is_changed",
        ) }}
    from balances_after as balances

    union all

    {# the notes that are made #}
    select
        {{ settlement_row("'issue'",
            chain_id="amounts.chain_id",
            step_no="amounts.step_no",
            row_id="amounts.credit_note_id",
            invoice_id="amounts.invoice_id",
            source_order="amounts.issue_order",
            currency="amounts.currency",
            origin_invoice_id="amounts.invoice_id",
            amount_cents="amounts.total_cents",
            balance_cents="amounts.credit_cents",
            coupon_share_e5="amounts.coupon_e5",
            taxes_amount_cents="amounts.tax_cents",
            precise_taxes_e10="amounts.precise_tax_e5",
            item_e5="amounts.items_e5",
            refund_cents="amounts.refund_cents",
            offset_cents="amounts.offset_cents",
        ) }}
    from issue_amounts as amounts
    where amounts.refusal is null

    union all

    {# the notes that are refused #}
    select
        {{ settlement_row("'issue'",
            chain_id="amounts.chain_id",
            step_no="amounts.step_no",
            row_id="amounts.credit_note_id",
            invoice_id="amounts.invoice_id",
            source_order="amounts.issue_order",
            currency="amounts.currency",
            origin_invoice_id="amounts.invoice_id",
            taxes_amount_cents="0",
            refusal="amounts.refusal",
        ) }}
    from issue_amounts as amounts
    where amounts.refusal is not null

    union all

    {# the items of those that are made #}
    select
        {{ settlement_row("'item'",
            chain_id="amounts.chain_id",
            step_no="amounts.step_no",
            row_id="items.fee_id",
            parent_id="amounts.credit_note_id",
            invoice_id="amounts.invoice_id",
            currency="amounts.currency",
            origin_invoice_id="amounts.invoice_id",
            coupon_share_e5=divide_half_away('items.item_share_e10', '100000'),
            precise_taxes_e10=divide_half_away('items.tax_e10', '100000'),
            item_e5="items.item_e5",
        ) }}
    from issue_amounts as amounts
    inner join issue_items as items
        on amounts.credit_note_id = items.credit_note_id
    where amounts.refusal is null and items.item_e5 > 0

    union all

    {# what they have left to be used, from the next step on; those for progressive invoices count already #}
    select
        {{ settlement_row("'credit_note'",
            chain_id="amounts.chain_id",
            step_no="amounts.step_no",
            row_id="amounts.credit_note_id",
            source_order="amounts.issue_order",
            currency="amounts.currency",
            origin_invoice_id="amounts.invoice_id",
            balance_cents="amounts.credit_cents",
            is_live="true",
            is_changed="true",
        ) }}
    from issue_amounts as amounts
    where
        amounts.refusal is null
        and amounts.credit_cents > 0
        and amounts.request_kind <> 'progressive_billing'

    union all

    {# what was credited of progressive invoices #}
    select
        {{ settlement_row("'progressive'",
            chain_id="credits.chain_id",
            step_no="credits.step_no",
            row_id="credits.progressive_invoice_id",
            invoice_id="credits.invoice_id",
            amount_cents="credits.credit_cents",
            balance_cents="credits.open_cents - credits.credit_cents",
        ) }}
    from progressive_credits as credits

)
{%- endmacro %}
