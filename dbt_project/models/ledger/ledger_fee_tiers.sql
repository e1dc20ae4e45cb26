with

fees as (

    select * from {{ ref('ledger_fees') }}
    where {{ is_close_open('close_id') }} and fee_type = 'charge'

),

tiers as (

    select * from {{ ref('int_usage_tiers') }}

)

select
    fees.close_id,
    fees.fee_id,
    fees.invoice_id,
    fees.organization_id,
    cast(tiers.range_position as integer) as tier_position,
    tiers.from_value,
    tiers.to_value,
    tiers.units_in_range as units,
    tiers.per_unit_amount,
    tiers.flat_amount,
    tiers.amount
from fees
inner join tiers
    on
        fees.moment_id = tiers.moment_id
        and fees.fee_code = tiers.charge_code
