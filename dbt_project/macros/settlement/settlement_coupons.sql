{#
  Stage 1, once per coupon of a round: the next coupon of each invoice that concerns one of its fees
  ("Coupons" in docs/billing-rules.md). The first place reads `invoices` and `fees`, a
  later one what the place before made of them; all read `balances`.

    coupon_candidates_N    one row per invoice and coupon that it could use, in their order
    coupon_fees_N          one row per invoice and fee that the first of them concerns
    coupon_bases_N         one row per invoice: what those fees have left together (base_e5)
    coupon_credits_N       one row per invoice: whole cents that the coupon takes
    fees_discounted_N      one row per fee, with its share of them; without _N after the last place
    invoices_discounted_N  one row per invoice: what is left, and whether more coupons wait; without _N after the last
                           place
#}
{% macro settlement_coupons(place, is_last) -%}
    {%- set invoices = 'invoices' if place == 1 else 'invoices_discounted_' ~ (place - 1) -%}
    {%- set fees = 'fees' if place == 1 else 'fees_discounted_' ~ (place - 1) -%}
    {%- set last_order = 'invoices.last_order' if place == 1 else 'invoices.coupon_order' -%}
    {%- set amount = 'invoices.amount_cents' if place == 1 else 'invoices.discounted_cents' -%}
    {%- set ending = '' if is_last else '_' ~ place %}
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
        {% if place == 1 -%}
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

)
{%- endmacro %}
