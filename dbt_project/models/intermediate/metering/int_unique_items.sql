with

readings as (

    select * from {{ ref('int_event_readings') }}
    where item is not null

),

{#
  An item counts when its last operation is an add: that is what all changes of its state add up to (semantics/rating.md
  section 3.1). Only when an add and a removal share the last instant, their order at that instant is looked at.
#}
last_operations as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.item,
        max(case when not readings.is_remove then readings.event_at end) as last_added_at,
        max(case when readings.is_remove then readings.event_at end) as last_removed_at
    from readings
    group by
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.item

),

tied as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.item,
        readings.is_remove,
        row_number() over (
            partition by
                readings.moment_id,
                readings.charge_code,
                readings.filter_position,
                readings.group_values,
                readings.item
            order by
                readings.received_at desc,
                {{ natural_order('readings.transaction_id') }} desc,
                {{ binary_order('readings.transaction_id') }} desc
        ) as recency
    from readings
    inner join last_operations
        on
            readings.moment_id = last_operations.moment_id
            and readings.charge_code = last_operations.charge_code
            and readings.filter_position = last_operations.filter_position
            and readings.group_values = last_operations.group_values
            and readings.item = last_operations.item
            and readings.event_at = last_operations.last_added_at
            and last_operations.last_added_at = last_operations.last_removed_at

)

select
    last_operations.moment_id,
    last_operations.charge_code,
    last_operations.filter_position,
    last_operations.group_values,
    last_operations.item,
    case
        when last_operations.last_added_at is null then false
        when last_operations.last_removed_at is null then true
        when tied.item is not null then not tied.is_remove
        else last_operations.last_added_at > last_operations.last_removed_at
    end as is_active
from last_operations
left join tied
    on
        last_operations.moment_id = tied.moment_id
        and last_operations.charge_code = tied.charge_code
        and last_operations.filter_position = tied.filter_position
        and last_operations.group_values = tied.group_values
        and last_operations.item = tied.item
        and tied.recency = 1
