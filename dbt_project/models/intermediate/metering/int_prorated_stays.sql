with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_prorated and aggregation_type = 'unique_count_agg'

),

sequenced as (

    select
        sequenced.moment_id,
        sequenced.charge_code,
        sequenced.filter_position,
        sequenced.group_values,
        sequenced.transaction_id,
        sequenced.item,
        sequenced.is_remove,
        sequenced.event_at,
        sequenced.event_date,
        sequenced.sequence_number
    from {{ ref('int_usage_sequenced') }} as sequenced
    where sequenced.item is not null

),

{# a removal that an add undoes later on the same local date is no removal: docs/billing-rules.md, Usage #}
undone as (

    select
        sequenced.*,
        coalesce(
            sequenced.is_remove
            and max(case when not sequenced.is_remove then sequenced.sequence_number end) over (
                partition by
                    sequenced.moment_id,
                    sequenced.charge_code,
                    sequenced.filter_position,
                    sequenced.group_values,
                    sequenced.item,
                    sequenced.event_date
            ) > sequenced.sequence_number, false
        ) as is_undone
    from sequenced

),

{# an event that repeats the operation before it changes nothing: step 2 #}
compared as (

    select
        undone.*,
        coalesce(
            lag(undone.is_remove) over (
                partition by
                    undone.moment_id,
                    undone.charge_code,
                    undone.filter_position,
                    undone.group_values,
                    undone.item
                order by undone.sequence_number
            ), true
        ) as was_removed
    from undone
    where not undone.is_undone

),

remaining as (

    select
        compared.*,
        lead(compared.event_at) over (item_order) as next_event_at,
        lead(compared.event_date) over (item_order) as next_event_date
    from compared
    where compared.is_remove <> compared.was_removed
    window item_order as (
        partition by
            compared.moment_id, compared.charge_code, compared.filter_position, compared.group_values, compared.item
        order by compared.sequence_number
    )

)

{# the day of adding and the day of removing both count #}
select
    remaining.moment_id,
    remaining.charge_code,
    remaining.filter_position,
    remaining.group_values,
    remaining.transaction_id,
    remaining.item,
    remaining.is_remove,
    remaining.event_at,
    remaining.sequence_number,
    case
        when remaining.is_remove or remaining.next_event_at < charge_windows.usage_from_at then 0
        else {{ days_between(
            'greatest(remaining.event_date, charge_windows.usage_from_date)',
            'least(coalesce(remaining.next_event_date, charge_windows.prorated_to_date), charge_windows.prorated_to_date)'
        ) }} + 1
    end as days_count
from remaining
inner join charge_windows
    on
        remaining.moment_id = charge_windows.moment_id
        and remaining.charge_code = charge_windows.charge_code
