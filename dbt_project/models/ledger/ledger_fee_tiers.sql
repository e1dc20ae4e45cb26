with

fees as (

    select * from {{ ref('ledger_fees') }}
    where {{ is_close_open('close_id') }} and fee_type = 'charge'

),

tiers as (

    select * from {{ ref('int_fee_tiers') }}

)

select
    fees.close_id,
    fees.fee_id,
    fees.invoice_id,
    fees.organization_id,
    tiers.tier_position,
    tiers.from_value,
    tiers.to_value,
    tiers.units,
    tiers.per_unit_amount,
    tiers.rate,
    tiers.flat_amount,
    tiers.amount
from fees
inner join tiers
    on fees.fee_id = tiers.fee_id
