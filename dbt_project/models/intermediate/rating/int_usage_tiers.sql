{# read once, by the fees of a period: what a point costs is in int_tiered_amounts #}
{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('int_price_points') }}

),

charge_ranges as (

    select * from {{ ref('int_charge_ranges') }}

),

{#
  Graduated models visit the first range always, a later one when the units exceed the one before it; volume takes one
  range by the full units (docs/billing-rules.md, Prices).
#}
visited as (

    select
        points.point_id,
        points.charge_model,
        charge_ranges.range_position,
        charge_ranges.from_value,
        charge_ranges.to_value,
        charge_ranges.per_unit_amount,
        charge_ranges.rate,
        charge_ranges.flat_amount,
        abs(points.units) < charge_ranges.too_many_units as is_billable,
        cast(
            case
                when points.charge_model = 'volume' then points.units
                else least(points.units, coalesce(charge_ranges.to_value, points.units)) - charge_ranges.base_value
            end as decimal(38, 12)
        ) as units_in_range,
        {# digits beyond the twelfth of a time-weighted quantity lie in the last range that it reaches #}
        case
            when points.charge_model = 'volume' or points.units < coalesce(charge_ranges.to_value, points.units + 1)
                then points.units_rest
            else 0
        end as units_rest
    from points
    inner join charge_ranges
        on
            points.organization_id = charge_ranges.organization_id
            and points.plan_code = charge_ranges.plan_code
            and points.plan_effective_at = charge_ranges.plan_effective_at
            and points.charge_code = charge_ranges.charge_code
            and points.filter_position = charge_ranges.filter_position
    where
        (
            points.charge_model in ('graduated', 'graduated_percentage')
            and not points.is_prorated
            and {{ reaches_range('points.units', 'points.units_rest', 'charge_ranges') }}
        )
        or (
            points.charge_model = 'volume'
            {# the first range that holds the units; units between two ranges belong to the later one #}
            and {{ reaches_range('points.full_units', 'points.units_rest', 'charge_ranges') }}
            and {{ ends_by_range('points.full_units', 'points.units_rest', 'charge_ranges') }}
        )

)

select
    visited.point_id,
    visited.range_position,
    visited.from_value,
    visited.to_value,
    visited.per_unit_amount,
    visited.rate,
    visited.flat_amount,
    visited.units_in_range,
    case
        when not visited.is_billable then null
        when visited.charge_model = 'graduated_percentage'
            then {{ cut_amount(
                multiply_percent('visited.units_in_range', 'visited.rate')
                ~ ' + visited.flat_amount + ' ~ percent_units_rest('visited.units_rest', 'visited.rate')
            ) }}
        else {{ price_billable_range(
            'visited.units_in_range', 'visited.units_rest', 'visited.per_unit_amount', 'visited.flat_amount'
        ) }}
    end as amount
from visited
