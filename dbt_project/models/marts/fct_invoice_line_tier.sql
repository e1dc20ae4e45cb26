{{ config(materialized='incremental') }}

with

lines as (

    select lines.*
    from {{ ref('fct_invoice_line') }} as lines
    where {{ is_new_to_mart('lines') }}

),

tiers as (

    select * from {{ ref('ledger_fee_tiers') }}

)

select
    tiers.fee_id,
    tiers.tier_position,
    tiers.invoice_id,
    tiers.organization_id,
    tiers.from_value,
    tiers.to_value,
    tiers.units,
    tiers.per_unit_amount as unit_price,
    tiers.flat_amount,
    lines.currency,
    lines.currency_exponent,
    {{ precise_minor_units('tiers.amount', 'lines.currency_exponent') }} as precise_amount_cents,
    tiers.close_id
from tiers
inner join lines
    on
        tiers.close_id = lines.close_id
        and tiers.fee_id = lines.fee_id
