with

readings as (

    select * from {{ ref('int_event_readings') }}
    where item is not null

),

operations as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.item,
        readings.is_remove,
        readings.event_at
    from readings

    union all

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        totals.item,
        totals.is_remove,
        totals.last_event_at as event_at
    from {{ ref('int_charge_totals') }} as totals
    where totals.aggregation_type = 'unique_count_agg'

),

{#
  An item counts when its last operation is an add: that is what all changes of its state add up to (docs/billing-rules.md,
  Usage). Only when an add and a removal share the last instant, their order at that instant is looked at.
#}
last_operations as (

    select
        operations.moment_id,
        operations.charge_code,
        operations.filter_position,
        operations.group_values,
        operations.item,
        max(case when not operations.is_remove then operations.event_at end) as last_added_at,
        max(case when operations.is_remove then operations.event_at end) as last_removed_at
    from operations
    group by
        operations.moment_id,
        operations.charge_code,
        operations.filter_position,
        operations.group_values,
        operations.item

),

competing as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.item,
        readings.event_at,
        readings.received_at,
        readings.transaction_id,
        readings.is_remove
    from readings

    union all

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        totals.item,
        located.event_at,
        located.received_at,
        located.transaction_id,
        located.is_remove
    from {{ ref('int_charge_totals') }} as totals
    inner join last_operations
        on
            totals.moment_id = last_operations.moment_id
            and totals.charge_code = last_operations.charge_code
            and totals.filter_position = last_operations.filter_position
            and totals.group_values = last_operations.group_values
            and totals.item = last_operations.item
            and last_operations.last_added_at = last_operations.last_removed_at
    inner join {{ ref('int_events_located') }} as located
        on
            totals.moment_id = located.moment_id
            and totals.event_code = located.code
            and totals.item = located.item
            and last_operations.last_added_at = located.event_at
            and coalesce(totals.facets, '') = coalesce(located.facets, '')
    where totals.aggregation_type = 'unique_count_agg' and located.fate in {{ open_states() }}

),

tied as (

    select
        competing.moment_id,
        competing.charge_code,
        competing.filter_position,
        competing.group_values,
        competing.item,
        competing.is_remove,
        row_number() over (
            partition by
                competing.moment_id,
                competing.charge_code,
                competing.filter_position,
                competing.group_values,
                competing.item
            order by
                competing.received_at desc,
                {{ natural_order('competing.transaction_id') }} desc,
                {{ binary_order('competing.transaction_id') }} desc
        ) as recency
    from competing
    inner join last_operations
        on
            competing.moment_id = last_operations.moment_id
            and competing.charge_code = last_operations.charge_code
            and competing.filter_position = last_operations.filter_position
            and competing.group_values = last_operations.group_values
            and competing.item = last_operations.item
            and competing.event_at = last_operations.last_added_at
            and last_operations.last_added_at = last_operations.last_removed_at

),

items as (

    select
        last_operations.moment_id,
        last_operations.charge_code,
        last_operations.filter_position,
        last_operations.group_values,
        case
            when last_operations.last_added_at is null then false
            when last_operations.last_removed_at is null then true
            else last_operations.last_added_at > last_operations.last_removed_at
        end as is_active
    from last_operations
    where coalesce(last_operations.last_added_at <> last_operations.last_removed_at, true)

    union all

    select
        tied.moment_id,
        tied.charge_code,
        tied.filter_position,
        tied.group_values,
        not tied.is_remove as is_active
    from tied
    where tied.recency = 1

)

select
    items.moment_id,
    items.charge_code,
    items.filter_position,
    items.group_values,
    cast(sum(case when items.is_active then 1 else 0 end) as bigint) as units
from items
group by items.moment_id, items.charge_code, items.filter_position, items.group_values
