with

fees as (

    select * from {{ ref('int_fees') }}
    where moment_state <> 'finalized'

),

priced as (

    select * from {{ ref('int_fees_priced') }}

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

),

{# shares of coupons, as the last stage of settlement left them; a fee whose invoice needs no settlement has none #}
settled as (

    select * from {{ ref('int_settlement') }}
    where row_kind = 'fee' and stage = 9

),

shared as (

    select
        priced.fee_id,
        priced.taxes_rate,
        coalesce(settled.coupon_share_e5, 0) as coupon_share_e5,
        coalesce(settled.credit_note_share_e5, 0) as credit_note_share_e5,
        {{ cents_to_e5('priced.amount_cents') }} - coalesce(settled.coupon_share_e5, 0) as sub_e5,
        priced.precise_e10 - {{ e5_to_e10('coalesce(settled.coupon_share_e5, 0)') }} as precise_sub_e10
    from priced
    left join settled
        on priced.fee_id = settled.row_id

)

{# a fee's own tax is rounded once over its rates (docs/billing-rules.md, Taxes) #}
select
    fees.fee_id,
    scheduled.invoice_id,
    scheduled.moment_state as invoice_state,
    scheduled.close_id,
    fees.moment_id,
    fees.organization_id,
    fees.external_customer_id,
    fees.external_subscription_id,
    fees.fee_type,
    fees.fee_code,
    fees.fee_name,
    fees.fee_position,
    fees.filter_position,
    fees.billable_metric_code,
    fees.charge_model,
    fees.filter_values,
    fees.group_values,
    fees.from_date,
    fees.to_date,
    fees.units,
    fees.events_count,
    fees.unit_price,
    fees.currency,
    fees.currency_exponent,
    fees.amount_cents,
    fees.precise_amount_cents,
    {{ e5_to_decimal('shared.coupon_share_e5') }} as precise_coupons_amount_cents,
    {{ e5_to_decimal('shared.credit_note_share_e5') }} as precise_credit_notes_amount_cents,
    cast(shared.sub_e5 as decimal(38, 0)) as sub_e5,
    shared.taxes_rate,
    cast(
        {{ divide_half_away('shared.sub_e5 * ' ~ scaled_percent('shared.taxes_rate'), power_of_ten(19)) }} as bigint
    ) as taxes_amount_cents,
    {{ e10_to_decimal(signed_percent_of('shared.precise_sub_e10', 'shared.taxes_rate')) }}
        as precise_taxes_amount_cents
from fees
inner join scheduled
    on fees.moment_id = scheduled.moment_id
inner join shared
    on fees.fee_id = shared.fee_id
