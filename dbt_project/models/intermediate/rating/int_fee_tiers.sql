with

fees as (

    select
        fees.fee_id,
        fees.usage_id
    from {{ ref('int_fees_from_usage') }} as fees
    where fees.is_invoiceable

)

{# which units of a fee cost what; prorated ones by their position (docs/billing-rules.md, Prices) #}
select
    fees.fee_id,
    cast(tiers.range_position as integer) as tier_position,
    tiers.from_value,
    tiers.to_value,
    tiers.units_in_range as units,
    tiers.per_unit_amount,
    tiers.rate,
    tiers.flat_amount,
    tiers.amount
from fees
inner join {{ ref('int_usage_tiers') }} as tiers
    on fees.usage_id = tiers.point_id

union all

select
    fees.fee_id,
    cast(tiers.range_position as integer) as tier_position,
    tiers.from_value,
    tiers.to_value,
    tiers.units_in_range as units,
    tiers.per_unit_amount,
    cast(null as decimal(21, 12)) as rate,
    tiers.flat_amount,
    cast(
        tiers.amount + tiers.flat_amount + cast(
            cast({{ divide_floor('tiers.price_parts', 'tiers.whole') }} as decimal(38, 0))
            * 0.000000000000000000000001 as decimal(38, 24)
        ) as decimal(38, 24)
    ) as amount
from fees
inner join {{ ref('int_prorated_tiers') }} as tiers
    on fees.usage_id = tiers.usage_id
where tiers.units_in_range <> 0 or tiers.flat_amount <> 0
