with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_prorated and not is_pay_in_advance and charge_model = 'graduated'

),

usage as (

    select usage.*
    from {{ ref('int_usage_aggregated') }} as usage
    inner join charge_windows
        on
            usage.moment_id = charge_windows.moment_id
            and usage.charge_code = charge_windows.charge_code

),

charge_ranges as (

    select * from {{ ref('int_charge_ranges') }}

),

sums as (

    select
        sequenced.moment_id,
        sequenced.charge_code,
        sequenced.filter_position,
        sequenced.group_values,
        sequenced.sequence_number,
        sequenced.change,
        sequenced.running_total,
        sequenced.is_in_period,
        {{ days_between('sequenced.event_date', 'charge_windows.prorated_to_date') }} + 1 as days_count,
        charge_windows.usage_days_count,
        charge_windows.usage_full_days_count
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join charge_windows
        on
            sequenced.moment_id = charge_windows.moment_id
            and sequenced.charge_code = charge_windows.charge_code
    where sequenced.aggregation_type = 'sum_agg'

),

{#
  Each remaining event of a unique count moves the level by one; an add that is gone before the period is left out, and
  so is a removal that would bring the level below zero. Such a level is the running sum, lifted by the deepest it fell.
#}
stays as (

    select
        stays.moment_id,
        stays.charge_code,
        stays.filter_position,
        stays.group_values,
        stays.is_remove,
        stays.days_count,
        stays.event_at >= charge_windows.usage_from_at as is_in_period,
        charge_windows.usage_full_days_count,
        row_number() over (
            partition by stays.moment_id, stays.charge_code, stays.filter_position, stays.group_values
            order by stays.event_at, {{ binary_order('stays.item') }}, stays.sequence_number
        ) as sequence_number
    from {{ ref('int_prorated_stays') }} as stays
    inner join charge_windows
        on
            stays.moment_id = charge_windows.moment_id
            and stays.charge_code = charge_windows.charge_code
    where stays.is_remove or stays.days_count > 0

),

summed_stays as (

    select
        stays.*,
        sum(case when stays.is_remove then -1 else 1 end) over (
            partition by stays.moment_id, stays.charge_code, stays.filter_position, stays.group_values
            order by stays.sequence_number
            rows between unbounded preceding and current row
        ) as step_total
    from stays

),

levelled_stays as (

    select
        summed_stays.*,
        summed_stays.step_total
        + greatest(
            max(-summed_stays.step_total) over (
                partition by
                    summed_stays.moment_id,
                    summed_stays.charge_code,
                    summed_stays.filter_position,
                    summed_stays.group_values
                order by summed_stays.sequence_number
                rows between unbounded preceding and current row
            ), 0
        ) as level_after
    from summed_stays

),

{# a move of the level from one position to another, at its weight: whole parts of a whole (days, or 10^-5) #}
moves as (

    select
        usage.moment_id,
        usage.charge_code,
        usage.filter_position,
        usage.group_values,
        cast(0 as decimal(38, 12)) as level_before,
        cast(usage.total_aggregated_units as decimal(38, 12)) - coalesce(sum(sums.change), 0) as level_after,
        charge_windows.usage_days_count as weight,
        charge_windows.usage_full_days_count as whole
    from usage
    inner join charge_windows
        on
            usage.moment_id = charge_windows.moment_id
            and usage.charge_code = charge_windows.charge_code
            and charge_windows.aggregation_type = 'sum_agg'
    left join sums
        on
            usage.moment_id = sums.moment_id
            and usage.charge_code = sums.charge_code
            and usage.filter_position = sums.filter_position
            and usage.group_values = sums.group_values
            and sums.is_in_period
    group by
        usage.moment_id,
        usage.charge_code,
        usage.filter_position,
        usage.group_values,
        usage.total_aggregated_units,
        charge_windows.usage_days_count,
        charge_windows.usage_full_days_count

    union all

    select
        sums.moment_id,
        sums.charge_code,
        sums.filter_position,
        sums.group_values,
        sums.running_total - sums.change as level_before,
        sums.running_total as level_after,
        sums.days_count as weight,
        sums.usage_full_days_count as whole
    from sums
    where sums.is_in_period

    union all

    select
        levelled_stays.moment_id,
        levelled_stays.charge_code,
        levelled_stays.filter_position,
        levelled_stays.group_values,
        cast(
            case when levelled_stays.is_remove then levelled_stays.level_after else levelled_stays.level_after - 1 end
            as decimal(38, 12)
        ) as level_before,
        cast(levelled_stays.level_after as decimal(38, 12)) as level_after,
        case
            when levelled_stays.is_remove then 0
            else cast({{ divide_ceiling(
                '(levelled_stays.days_count * 100000)', 'levelled_stays.usage_full_days_count'
            ) }} as bigint)
        end as weight,
        100000 as whole
    from levelled_stays

),

highest as (

    select
        moves.moment_id,
        moves.charge_code,
        moves.filter_position,
        moves.group_values,
        max(moves.level_after) as highest_level
    from moves
    group by moves.moment_id, moves.charge_code, moves.filter_position, moves.group_values

),

{#
  The positions of a move that lie in a range, signed; the first range also holds what is below zero
  (docs/billing-rules.md, Prices, the position model).
#}
placed as (

    select
        usage.usage_id,
        charge_ranges.range_position,
        charge_ranges.from_value,
        charge_ranges.to_value,
        charge_ranges.per_unit_amount,
        charge_ranges.flat_amount,
        usage.units as prorated_units,
        usage.full_units,
        coalesce(moves.whole, 1) as whole,
        case
            when charge_ranges.range_position = 1 then true
            else coalesce(highest.highest_level > charge_ranges.previous_to_value, false)
        end as is_reached,
        cast(coalesce(
            cast(moves.weight as decimal(11, 0)) * cast(
                {% for level in ['moves.level_after', 'moves.level_before'] -%}
                    case
                        when charge_ranges.range_position = 1
                            then least({{ level }}, coalesce(charge_ranges.to_value, {{ level }}))
                        else
                            greatest(
                                least({{ level }}, coalesce(charge_ranges.to_value, {{ level }})),
                                charge_ranges.previous_to_value
                            )
                    end{% if not loop.last %} - {% endif %}
                {%- endfor %} as decimal(38, 12)
            ), 0
        ) as decimal(38, 12)) as weighted_units
    from usage
    inner join charge_windows
        on
            usage.moment_id = charge_windows.moment_id
            and usage.charge_code = charge_windows.charge_code
    inner join charge_ranges
        on
            charge_windows.organization_id = charge_ranges.organization_id
            and charge_windows.plan_code = charge_ranges.plan_code
            and charge_windows.plan_effective_at = charge_ranges.plan_effective_at
            and charge_windows.charge_code = charge_ranges.charge_code
            and usage.filter_position = charge_ranges.filter_position
    left join moves
        on
            usage.moment_id = moves.moment_id
            and usage.charge_code = moves.charge_code
            and usage.filter_position = moves.filter_position
            and usage.group_values = moves.group_values
    left join highest
        on
            usage.moment_id = highest.moment_id
            and usage.charge_code = highest.charge_code
            and usage.filter_position = highest.filter_position
            and usage.group_values = highest.group_values

),

summed as (

    select
        placed.usage_id,
        placed.range_position,
        placed.from_value,
        placed.to_value,
        placed.per_unit_amount,
        placed.flat_amount,
        placed.prorated_units,
        placed.full_units,
        placed.whole,
        placed.is_reached,
        {{ scaled_quantity('cast(sum(placed.weighted_units) as decimal(38, 12))') }} as scaled_units
    from placed
    group by
        placed.usage_id,
        placed.range_position,
        placed.from_value,
        placed.to_value,
        placed.per_unit_amount,
        placed.flat_amount,
        placed.prorated_units,
        placed.full_units,
        placed.whole,
        placed.is_reached

),

{# units of the range: whole 10^-12 and what is left of them, in parts of the whole #}
divided as (

    select
        summed.*,
        {{ divide_floor('summed.scaled_units', 'summed.whole') }} as unit_steps,
        summed.scaled_units - {{ divide_floor('summed.scaled_units', 'summed.whole') }}
        * cast(summed.whole as {{ wide_integer() }}) as parts
    from summed

)

select
    divided.usage_id,
    divided.range_position,
    divided.from_value,
    divided.to_value,
    divided.per_unit_amount,
    {# no prorated units owe the first flat fee only, a level below zero owes none #}
    case
        when divided.full_units < 0 then cast(0 as decimal(21, 12))
        when divided.prorated_units = 0 and divided.range_position > 1 then cast(0 as decimal(21, 12))
        when divided.is_reached then divided.flat_amount
        else cast(0 as decimal(21, 12))
    end as flat_amount,
    {{ quantity_of_scaled('divided.unit_steps') }} as units_in_range,
    {{ multiply_exact(quantity_of_scaled('divided.unit_steps'), 'divided.per_unit_amount') }} as amount,
    {# the price of the parts, in 10^-24 of the major unit and parts of the whole #}
    divided.parts * {{ scaled_quantity('cast(divided.per_unit_amount as decimal(38, 12))') }} as price_parts,
    divided.whole
from divided
