with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where aggregation_type = 'latest_agg'

),

{# the greatest timestamp, ties by latest arrival: semantics/rating.md section 3 #}
ranked as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.quantity,
        row_number() over (
            partition by readings.moment_id, readings.charge_code, readings.filter_position, readings.group_values
            order by
                readings.event_at desc,
                readings.received_at desc,
                {{ natural_order('readings.transaction_id') }} desc,
                {{ binary_order('readings.transaction_id') }} desc
        ) as recency
    from {{ ref('int_event_readings') }} as readings
    inner join charge_windows
        on
            readings.moment_id = charge_windows.moment_id
            and readings.charge_code = charge_windows.charge_code
    where readings.quantity is not null

)

select
    ranked.moment_id,
    ranked.charge_code,
    ranked.filter_position,
    ranked.group_values,
    ranked.quantity as latest_value
from ranked
where ranked.recency = 1
