with

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}
    where charge_model = 'graduated'

),

charge_ranges as (

    select * from {{ ref('int_charge_ranges') }}

),

{# the first range is always visited, a later one when the units exceed the one before it #}
visited as (

    select
        usage.moment_id,
        usage.charge_code,
        charge_ranges.range_position,
        charge_ranges.from_value,
        charge_ranges.to_value,
        charge_ranges.per_unit_amount,
        charge_ranges.flat_amount,
        {{ fits_money('usage.units', 'charge_ranges.highest_per_unit_amount') }} as is_billable,
        cast(
            {{ units_in_graduated_range(
                'usage.units', 'charge_ranges.from_value', 'charge_ranges.to_value', 'charge_ranges.is_touching'
            ) }} as decimal(38, 12)
        ) as units_in_range
    from usage
    inner join metered_charges
        on
            usage.moment_id = metered_charges.moment_id
            and usage.charge_code = metered_charges.charge_code
    inner join charge_ranges
        on
            metered_charges.organization_id = charge_ranges.organization_id
            and metered_charges.plan_code = charge_ranges.plan_code
            and metered_charges.plan_effective_at = charge_ranges.plan_effective_at
            and metered_charges.charge_code = charge_ranges.charge_code
            and metered_charges.filter_position = charge_ranges.filter_position
            and (charge_ranges.range_position = 1 or usage.units > charge_ranges.previous_to_value)

)

select
    visited.moment_id,
    visited.charge_code,
    visited.range_position,
    visited.from_value,
    visited.to_value,
    visited.per_unit_amount,
    visited.flat_amount,
    visited.units_in_range,
    case
        when visited.is_billable
            then cast({{ price_graduated_range(
                'visited.units_in_range', 'visited.per_unit_amount', 'visited.flat_amount'
            ) }} as decimal(38, 24))
    end as amount
from visited
