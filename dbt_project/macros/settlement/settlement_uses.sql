{#
  What all steps of this round take of all balances, and what that adds up to. Reads `coupon_credits_N`,
  `invoices_settled`, `wallet_credits`, `wallet_moves`, `reopened` and `balances`.

    uses           one row per step and balance that is used there, given back (negative) or moved
    balances_used  one row per step and balance, with all that was taken of it from the first step on (used_...)
#}
{% macro settlement_uses(coupons_a_round) -%}
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

)
{%- endmacro %}
