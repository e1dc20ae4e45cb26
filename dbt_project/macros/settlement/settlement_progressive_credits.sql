{#
  What an invoice credits of the progressive invoices before it ("Thresholds" in
  docs/billing-rules.md). Reads `steps`, `entries` and all earlier rounds.

    progressive_credits  one row per invoice and progressive invoice: what of it is still open (open_cents), what is
                         credited now (credit_cents), and what is above the invoice and becomes a credit note
                         (excess_cents)
    progressive_sums     one row per invoice: all that it credits
    progressive_shares   one row per fee: its share of that, in cents
#}
{% macro settlement_progressive_credits() -%}
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

)
{%- endmacro %}
