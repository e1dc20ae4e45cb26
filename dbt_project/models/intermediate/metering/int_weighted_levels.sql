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
  walk over levels (docs/billing-rules.md, Usage).
#}
weights as (

    select
        timed.moment_id,
        timed.charge_code,
        timed.filter_position,
        timed.group_values,
        timed.usage_full_days_count,
        {{ whole_over_time('timed.quantity', 'timed.microseconds') }} as whole_microseconds,
        {{ fraction_over_time('timed.quantity', 'timed.microseconds') }} as fraction_microseconds
    from timed

    union all

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        totals.usage_full_days_count,
        totals.whole_microseconds,
        totals.fraction_microseconds
    from {{ ref('int_charge_totals') }} as totals
    where totals.aggregation_type = 'weighted_sum_agg' and totals.quantities_count > 0

),

weighed as (

    select
        weights.moment_id,
        weights.charge_code,
        weights.filter_position,
        weights.group_values,
        cast(weights.usage_full_days_count as {{ wide_integer() }}) * 86400000000 as full_microseconds,
        cast(sum(weights.whole_microseconds) as {{ wide_integer() }}) as whole_microseconds,
        {{ scaled_quantity('sum(weights.fraction_microseconds)') }} as scaled_microseconds
    from weights
    group by
        weights.moment_id,
        weights.charge_code,
        weights.filter_position,
        weights.group_values,
        weights.usage_full_days_count

),

{# a long division by the whole period: whole units, then 12 decimals, then 8 more, rounded up #}
whole as (

    select
        weighed.*,
        {{ divide_floor('weighed.whole_microseconds', 'weighed.full_microseconds') }} as whole_units
    from weighed

),

remaining as (

    select
        whole.*,
        (whole.whole_microseconds - whole.whole_units * whole.full_microseconds) * 1000000000000
        + whole.scaled_microseconds as scaled_rest
    from whole

),

divided as (

    select
        remaining.*,
        {{ divide_floor('remaining.scaled_rest', 'remaining.full_microseconds') }} as scaled_units
    from remaining

),

rounded as (

    select
        divided.moment_id,
        divided.charge_code,
        divided.filter_position,
        divided.group_values,
        divided.whole_units * 1000000000000 + divided.scaled_units as scaled_units,
        {{ divide_ceiling(
            '((divided.scaled_rest - divided.scaled_units * divided.full_microseconds) * 100000000)',
            'divided.full_microseconds'
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
