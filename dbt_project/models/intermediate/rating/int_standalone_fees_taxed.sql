{# a fee's own tax is rounded once over its rates; no coupon reaches it (semantics/invoice.md section 8) #}
with

fees as (

    select * from {{ ref('int_standalone_fees') }}

),

tax_rates as (

    select
        fee_taxes.fee_id,
        cast(sum(fee_taxes.tax_rate) as decimal(21, 12)) as taxes_rate
    from {{ ref('int_standalone_fee_taxes') }} as fee_taxes
    group by fee_taxes.fee_id

),

rated as (

    select
        fees.*,
        cast(coalesce(tax_rates.taxes_rate, 0) as decimal(21, 12)) as taxes_rate
    from fees
    left join tax_rates
        on fees.fee_id = tax_rates.fee_id

)

select
    rated.*,
    cast(
        {{ divide_half_away(
            cents_to_e5('rated.amount_cents') ~ ' * ' ~ scaled_percent('rated.taxes_rate'), power_of_ten(19)
        ) }} as bigint
    ) as taxes_amount_cents
from rated
