with

charge_windows as (

    select
        charge_windows.*,
        {{ level_end('charge_windows.usage_to_at') }} as level_ends_at
    from {{ ref('int_charge_windows') }} as charge_windows
    where charge_windows.aggregation_type = 'weighted_sum_agg'

),

readings as (

    select * from {{ ref('int_event_readings') }}
    where quantity is not null

),

timed as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.quantity,
        charge_windows.usage_full_days_count,
        {{ microseconds_between(
            'greatest(readings.event_at, charge_windows.usage_from_at)', 'charge_windows.level_ends_at'
        ) }} as microseconds
    from readings
    inner join charge_windows
        on
            readings.moment_id = charge_windows.moment_id
            and readings.charge_code = charge_windows.charge_code

),

{#
  Each change holds from its instant to the end: the time-weighted level is the sum of change x time left, in place of a
  walk over levels (semantics/rating.md section 3.2). Whole seconds and microseconds are added up apart, so that a
  quantity of 15 digits keeps within 38.
#}
weights as (

    select
        timed.moment_id,
        timed.charge_code,
        timed.filter_position,
        timed.group_values,
        timed.usage_full_days_count,
        cast(
            timed.quantity * cast({{ divide_integers('timed.microseconds', 1000000) }} as decimal(11, 0))
            as decimal(38, 12)
        ) as quantity_seconds,
        cast(
            timed.quantity * cast(timed.microseconds % 1000000 as decimal(11, 0)) as decimal(38, 12)
        ) as quantity_microseconds
    from timed

    union all

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        totals.usage_full_days_count,
        totals.quantity_seconds,
        totals.quantity_microseconds
    from {{ ref('int_charge_totals') }} as totals
    where totals.aggregation_type = 'weighted_sum_agg' and totals.quantities_count > 0

),

weighed as (

    select
        weights.moment_id,
        weights.charge_code,
        weights.filter_position,
        weights.group_values,
        cast(weights.usage_full_days_count as {{ wide_integer() }}) * 86400 as full_seconds_count,
        sum(weights.quantity_seconds) as quantity_seconds,
        sum(weights.quantity_microseconds) as quantity_microseconds
    from weights
    group by
        weights.moment_id,
        weights.charge_code,
        weights.filter_position,
        weights.group_values,
        weights.usage_full_days_count

),

{# in units of 10^-12: whole seconds' part, and a rest below a second's part that stays above zero #}
combined as (

    select
        weighed.moment_id,
        weighed.charge_code,
        weighed.filter_position,
        weighed.group_values,
        weighed.full_seconds_count,
        {{ scaled_quantity('weighed.quantity_seconds') }}
        + {{ divide_floor(scaled_quantity('weighed.quantity_microseconds'), 1000000) }} as scaled_seconds,
        {{ scaled_quantity('weighed.quantity_microseconds') }}
        - {{ divide_floor(scaled_quantity('weighed.quantity_microseconds'), 1000000) }} * 1000000 as rest_microseconds
    from weighed

),

divided as (

    select
        combined.*,
        {{ divide_floor('combined.scaled_seconds', 'combined.full_seconds_count') }} as scaled_units
    from combined

),

{# digits 13 to 20 after the point, rounded up: section 5, point 3 #}
rounded as (

    select
        divided.*,
        {{ divide_ceiling(
            '(((divided.scaled_seconds - divided.scaled_units * divided.full_seconds_count) * 1000000'
            ~ ' + divided.rest_microseconds) * 100)',
            'divided.full_seconds_count'
        ) }} as units_rest
    from divided

)

select
    rounded.moment_id,
    rounded.charge_code,
    rounded.filter_position,
    rounded.group_values,
    {{ quantity_of_scaled(
        'rounded.scaled_units + case when rounded.units_rest >= 100000000 then 1 else 0 end'
    ) }} as units,
    cast(case when rounded.units_rest >= 100000000 then 0 else rounded.units_rest end as bigint) as units_rest
from rounded
