with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

{# only where the order of events decides: free allowances, limits per event, proration, payment in advance #}
ordered_charges as (

    select
        charge_windows.*,
        buckets.filter_position
    from charge_windows
    inner join buckets
        on
            charge_windows.organization_id = buckets.organization_id
            and charge_windows.plan_code = buckets.plan_code
            and charge_windows.plan_effective_at = buckets.plan_effective_at
            and charge_windows.charge_code = buckets.charge_code
    where
        charge_windows.is_pay_in_advance
        or charge_windows.is_prorated
        or (charge_windows.charge_model = 'percentage' and (buckets.has_free_allowance or buckets.has_event_limits))

),

readings as (

    select * from {{ ref('int_event_readings') }}
    where quantity is not null

),

ordered as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.organization_id,
        readings.external_subscription_id,
        readings.transaction_id,
        readings.event_at,
        readings.received_at,
        readings.is_in_period,
        readings.item,
        readings.is_remove,
        readings.quantity,
        readings.precise_total_amount_cents,
        ordered_charges.aggregation_type,
        {{ to_local_date('readings.event_at', 'local_offsets.utc_offset_seconds') }} as event_date,
        row_number() over (
            partition by
                readings.moment_id, readings.charge_code, readings.filter_position, readings.group_values
            order by
                readings.event_at,
                readings.received_at,
                {{ natural_order('readings.transaction_id') }},
                {{ binary_order('readings.transaction_id') }}
        ) as sequence_number
    from readings
    inner join ordered_charges
        on
            readings.moment_id = ordered_charges.moment_id
            and readings.charge_code = ordered_charges.charge_code
            and readings.filter_position = ordered_charges.filter_position
    inner join local_offsets
        on
            ordered_charges.timezone_history = local_offsets.timezone_history
            and readings.event_at >= local_offsets.valid_from_at
            and readings.event_at < local_offsets.valid_to_at

),

{# what an event changes: its value; of a unique count +1, -1 or 0 by the item's event before #}
changed as (

    select
        ordered.*,
        {{ level_step(
            'ordered',
            'lag(ordered.is_remove) over ('
            ~ 'partition by ordered.moment_id, ordered.charge_code, ordered.filter_position, ordered.group_values,'
            ~ ' ordered.item order by ordered.sequence_number)'
        ) }} as change
    from ordered

)

select
    changed.moment_id,
    changed.charge_code,
    changed.filter_position,
    changed.group_values,
    changed.organization_id,
    changed.external_subscription_id,
    changed.transaction_id,
    changed.event_at,
    changed.received_at,
    changed.event_date,
    changed.is_in_period,
    changed.item,
    changed.is_remove,
    changed.quantity,
    changed.precise_total_amount_cents,
    changed.aggregation_type,
    changed.change,
    changed.sequence_number,
    cast(
        sum(changed.change) over (
            partition by changed.moment_id, changed.charge_code, changed.filter_position, changed.group_values
            order by changed.sequence_number
            rows between unbounded preceding and current row
        ) as decimal(38, 12)
    ) as running_total
from changed
