{#
  What the void of an invoice gives back ("Voids" in docs/billing-rules.md): what
  the invoice took of coupons, and of wallets that are active. Reads `steps`, `live`, the ledger and all earlier
  rounds.

    voided_uses  one row per void and balance that the invoice used, in cents
    reopened     those that are given back, with the credits (10^-5) or the period that come with them
#}
{% macro settlement_voided_uses() -%}
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
            and settled.round_no < {{ current_round() }}
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

)
{%- endmacro %}
