with

readings as (

    select * from {{ ref('int_event_readings') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

sums as (

    select
        readings.moment_id,
        readings.charge_code,
        sum(readings.quantity) as units,
        count(*) as events_count
    from readings
    where readings.quantity is not null
    group by readings.moment_id, readings.charge_code

),

{# a charge without events has zero units: its flat fees may still be due #}
aggregated as (

    select
        metered_charges.moment_id,
        metered_charges.charge_code,
        metered_charges.rounding_function,
        metered_charges.rounding_precision,
        cast(coalesce(sums.units, 0) as decimal(38, 12)) as units,
        cast(coalesce(sums.events_count, 0) as bigint) as events_count
    from metered_charges
    left join sums
        on
            metered_charges.moment_id = sums.moment_id
            and metered_charges.charge_code = sums.charge_code

)

select
    aggregated.moment_id,
    aggregated.charge_code,
    aggregated.events_count,
    aggregated.units as units_before_rounding,
    {{ round_units('aggregated.units', 'aggregated.rounding_function', 'aggregated.rounding_precision') }} as units
from aggregated
