with

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

graduated as (

    {# no amount at all when one of the ranges has none #}
    select
        tiers.moment_id,
        tiers.charge_code,
        case when count(*) = count(tiers.amount) then sum(tiers.amount) end as amount
    from {{ ref('int_usage_tiers') }} as tiers
    group by tiers.moment_id, tiers.charge_code

),

priced as (

    select
        metered_charges.moment_id,
        metered_charges.charge_code,
        usage.events_count,
        usage.units,
        cast(
            case metered_charges.charge_model
                when 'standard' then {{ price_standard('usage.units', 'metered_charges.unit_price') }}
                when 'graduated' then graduated.amount
            end as decimal(38, 24)
        ) as amount
    from metered_charges
    inner join usage
        on
            metered_charges.moment_id = usage.moment_id
            and metered_charges.charge_code = usage.charge_code
    left join graduated
        on
            metered_charges.moment_id = graduated.moment_id
            and metered_charges.charge_code = graduated.charge_code

)

{# negative units or a negative amount make both zero: semantics/rating.md section 5.3 #}
select
    priced.moment_id,
    priced.charge_code,
    priced.events_count,
    case when priced.units < 0 or priced.amount < 0 then cast(0 as decimal(38, 12)) else priced.units end as units,
    case when priced.units < 0 or priced.amount < 0 then cast(0 as decimal(38, 24)) else priced.amount end as amount
from priced
