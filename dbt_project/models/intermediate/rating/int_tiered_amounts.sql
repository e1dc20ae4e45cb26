{#
  Graduated models cost what the ranges below the last one that the units reach cost in full, added up once a charge
  (int_charge_ranges), and the units in the last one; volume takes one range by the full units, all units at its price
  (docs/billing-rules.md, Prices). So each point meets one range; its tiers are int_usage_tiers.
#}
with

points as (

    select
        points.*,
        case when points.charge_model = 'volume' then points.full_units else points.units end as reaching_units
    from {{ ref('int_price_points') }} as points
    where
        points.charge_model in ('graduated_percentage', 'volume')
        or (points.charge_model = 'graduated' and not points.is_prorated)

),

charge_ranges as (

    select * from {{ ref('int_charge_ranges') }}

),

{# an upper bound belongs to its range; units between two ranges, and the rest beyond 12 decimals, to the later one #}
reached as (

    select
        points.point_id,
        points.charge_model,
        points.units_rest,
        charge_ranges.per_unit_amount,
        charge_ranges.rate,
        charge_ranges.flat_amount,
        charge_ranges.percentage_below,
        abs(points.units) < charge_ranges.too_many_units as is_billable,
        case when points.charge_model = 'volume' then points.units else points.units - charge_ranges.base_value end
            as units_in_range,
        case when points.charge_model = 'volume' then cast(0 as decimal(38, 24)) else charge_ranges.amount_below end
            as amount_below
    from points
    inner join charge_ranges
        on
            points.organization_id = charge_ranges.organization_id
            and points.plan_code = charge_ranges.plan_code
            and points.plan_effective_at = charge_ranges.plan_effective_at
            and points.charge_code = charge_ranges.charge_code
            and points.filter_position = charge_ranges.filter_position
    where
        {{ reaches_range('points.reaching_units', 'points.units_rest', 'charge_ranges') }}
        and {{ ends_by_range('points.reaching_units', 'points.units_rest', 'charge_ranges') }}

)

select
    reached.point_id,
    case
        when not reached.is_billable then null
        when reached.charge_model = 'graduated_percentage'
            then cast(
                {{ cut_amount(
                    'reached.percentage_below + ' ~ multiply_percent('reached.units_in_range', 'reached.rate')
                    ~ ' + ' ~ percent_units_rest('reached.units_rest', 'reached.rate')
                ) }} + reached.flat_amount + reached.amount_below as decimal(38, 24)
            )
        else cast(
            {{ price_billable_range(
                'reached.units_in_range', 'reached.units_rest', 'reached.per_unit_amount', 'reached.flat_amount'
            ) }} + reached.amount_below as decimal(38, 24)
        )
    end as amount
from reached
