{#
  The invoices of this round and their fees, with what earlier stages made of them. Reads `steps`, `progressive_sums`,
  `progressive_shares` and what the round before left.

    invoices  one row per invoice: the stage at which it goes on and what it has left for it (amount_cents)
    fees      one row per fee: amounts, its shares so far of coupons and notes (10^-5 cents), its tax once that is
              known
#}
{% macro settlement_invoices() -%}
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
            and settled.round_no = {{ current_round() }} - 1
    left join progressive_shares
        on priced.fee_id = progressive_shares.fee_id

)
{%- endmacro %}
