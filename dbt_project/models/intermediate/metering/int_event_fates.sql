with

totals as (

    select * from {{ ref('int_event_totals') }}

),

{# codes of which every charge is counted from totals #}
totalled_codes as (

    select
        charge_windows.moment_id,
        charge_windows.event_code,
        {# a count takes any event, a unique count any text #}
        min(
            case when charge_windows.aggregation_type in ('count_agg', 'unique_count_agg') then 0 else 1 end
        ) = 1 as is_measured
    from {{ ref('int_charge_windows') }} as charge_windows
    where charge_windows.is_totalled
    group by charge_windows.moment_id, charge_windows.event_code

),

counted as (

    select
        totals.organization_id,
        totals.external_subscription_id,
        totals.code,
        totals.moment_id,
        totals.fate,
        totals.events_count,
        {# all charges on the code measure the one property #}
        case
            when
                totalled_codes.is_measured
                and not totals.is_readable
                and totals.fate in {{ open_states() }}
                then totals.events_count
            else 0
        end as unreadable_count
    from totals
    left join totalled_codes
        on
            totals.moment_id = totalled_codes.moment_id
            and totals.code = totalled_codes.event_code

),

unreadable_events as (

    {# events that are read one by one, of which no charge can use the value #}
    select
        readings.organization_id,
        readings.external_subscription_id,
        readings.transaction_id
    from {{ ref('int_event_readings') }} as readings
    where not coalesce(readings.is_restated, false)
    group by readings.organization_id, readings.external_subscription_id, readings.transaction_id
    having count(readings.quantity) = 0

),

unreadable_located as (

    select
        located.organization_id,
        located.external_subscription_id,
        located.code,
        located.moment_id,
        located.fate
    from {{ ref('int_events_located') }} as located
    inner join unreadable_events
        on
            located.organization_id = unreadable_events.organization_id
            and located.external_subscription_id = unreadable_events.external_subscription_id
            and located.transaction_id = unreadable_events.transaction_id
    where not coalesce(located.is_recorded, false)

),

{# what is unreadable leaves the fate that its time gave it #}
moved as (

    select
        counted.organization_id,
        counted.external_subscription_id,
        counted.code,
        counted.moment_id,
        counted.fate,
        counted.events_count - counted.unreadable_count as events_count
    from counted

    union all

    select
        counted.organization_id,
        counted.external_subscription_id,
        counted.code,
        counted.moment_id,
        'unreadable_value' as fate,
        counted.unreadable_count as events_count
    from counted
    where counted.unreadable_count > 0

    union all

    select
        unreadable_located.organization_id,
        unreadable_located.external_subscription_id,
        unreadable_located.code,
        unreadable_located.moment_id,
        unreadable_located.fate,
        -1 as events_count
    from unreadable_located

    union all

    select
        unreadable_located.organization_id,
        unreadable_located.external_subscription_id,
        unreadable_located.code,
        unreadable_located.moment_id,
        'unreadable_value' as fate,
        1 as events_count
    from unreadable_located

)

select
    moved.organization_id,
    moved.external_subscription_id,
    moved.code,
    moved.moment_id,
    moved.fate,
    cast(sum(moved.events_count) as bigint) as events_count
from moved
group by
    moved.organization_id,
    moved.external_subscription_id,
    moved.code,
    moved.moment_id,
    moved.fate
having sum(moved.events_count) > 0
