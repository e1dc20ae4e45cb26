{#
  Taxes, once no coupon is left: one rounding for the invoice, one for each fee (
  "Taxes" in docs/billing-rules.md). Reads `fees_discounted` and `invoices_discounted`. An invoice that was taxed in
  an earlier round keeps its tax.

    fees_taxed      one row per fee of invoices without more coupons: rounded tax in cents, exact tax in 10^-10 cents
    invoices_taxed  one row per invoice: what is due with tax (due_cents)
#}
{% macro settlement_taxes() -%}
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

)
{%- endmacro %}
