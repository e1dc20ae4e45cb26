with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where aggregation_type = 'latest_agg'

),

{# of the events counted as totals: what was told at the last instant, which is one value unless events share it #}
last_totals as (

    select
        totals.*,
        dense_rank() over (
            partition by totals.moment_id, totals.charge_code, totals.filter_position, totals.group_values
            order by totals.last_event_at desc
        ) as recency
    from {{ ref('int_charge_totals') }} as totals
    where totals.aggregation_type = 'latest_agg' and totals.is_readable

),

last_instants as (

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        min(totals.latest_lowest_value) as lowest_value,
        max(totals.latest_highest_value) as highest_value
    from last_totals as totals
    where totals.recency = 1
    group by totals.moment_id, totals.charge_code, totals.filter_position, totals.group_values

),

competing as (

    select
        readings.moment_id,
        readings.charge_code,
        readings.filter_position,
        readings.group_values,
        readings.quantity,
        readings.event_at,
        readings.received_at,
        readings.transaction_id
    from {{ ref('int_event_readings') }} as readings
    inner join charge_windows
        on
            readings.moment_id = charge_windows.moment_id
            and readings.charge_code = charge_windows.charge_code
    where readings.quantity is not null

    union all

    select
        totals.moment_id,
        totals.charge_code,
        totals.filter_position,
        totals.group_values,
        located.quantity,
        located.event_at,
        located.received_at,
        located.transaction_id
    from last_totals as totals
    inner join last_instants
        on
            totals.moment_id = last_instants.moment_id
            and totals.charge_code = last_instants.charge_code
            and totals.filter_position = last_instants.filter_position
            and totals.group_values = last_instants.group_values
            and last_instants.lowest_value < last_instants.highest_value
    inner join {{ ref('int_events_located') }} as located
        on
            totals.moment_id = located.moment_id
            and totals.event_code = located.code
            and totals.last_event_at = located.event_at
            and coalesce(totals.facets, '') = coalesce(located.facets, '')
    where
        totals.recency = 1
        and located.fate in {{ open_states() }}

),

{#
  The greatest timestamp, ties by latest arrival: docs/billing-rules.md, Usage. Events without a quantity come last and not
  out: DuckDB would take a filter on quantity for one that leaves few events, and read them all before it knows that no
  instants are shared.
#}
ranked as (

    select
        competing.moment_id,
        competing.charge_code,
        competing.filter_position,
        competing.group_values,
        competing.quantity,
        row_number() over (
            partition by
                competing.moment_id, competing.charge_code, competing.filter_position, competing.group_values
            order by
                case when competing.quantity is null then 1 else 0 end,
                competing.event_at desc,
                competing.received_at desc,
                {{ natural_order('competing.transaction_id') }} desc,
                {{ binary_order('competing.transaction_id') }} desc
        ) as recency
    from competing

)

select
    ranked.moment_id,
    ranked.charge_code,
    ranked.filter_position,
    ranked.group_values,
    ranked.quantity as latest_value
from ranked
where ranked.recency = 1

union all

select
    last_instants.moment_id,
    last_instants.charge_code,
    last_instants.filter_position,
    last_instants.group_values,
    last_instants.highest_value as latest_value
from last_instants
where last_instants.lowest_value = last_instants.highest_value
