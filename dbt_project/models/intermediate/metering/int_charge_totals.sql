{# As large as the totals, items and all: joining them for each reader costs less than writing them once more. #}
{{ config(materialized='view') }}

with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_totalled

),

totals as (

    select * from {{ ref('int_event_totals') }}
    where fate in {{ open_states() }}

),

facet_buckets as (

    select * from {{ ref('int_facet_buckets') }}

)

select
    charge_windows.moment_id,
    charge_windows.charge_code,
    charge_windows.aggregation_type,
    charge_windows.usage_full_days_count,
    charge_windows.organization_id,
    charge_windows.event_code,
    totals.facets,
    totals.item,
    totals.is_remove,
    totals.is_readable,
    coalesce(facet_buckets.filter_position, 0) as filter_position,
    coalesce(facet_buckets.bucket_number, 1) as bucket_number,
    coalesce(facet_buckets.group_values, '') as group_values,
    totals.events_count,
    {# a count takes any event, a unique count any text #}
    case
        when totals.is_readable or charge_windows.aggregation_type in ('count_agg', 'unique_count_agg')
            then totals.events_count
        else 0
    end as quantities_count,
    case
        when charge_windows.aggregation_type in ('count_agg', 'unique_count_agg') then totals.events_count
        else totals.total
    end as total,
    case
        when charge_windows.aggregation_type in ('count_agg', 'unique_count_agg') then 1
        else totals.highest_value
    end as highest_value,
    totals.whole_microseconds,
    totals.fraction_microseconds,
    totals.last_event_at,
    totals.latest_highest_value,
    totals.latest_lowest_value
from totals
inner join charge_windows
    on
        totals.moment_id = charge_windows.moment_id
        and totals.code = charge_windows.event_code
left join facet_buckets
    on
        charge_windows.metered_charge_id = facet_buckets.metered_charge_id
        and totals.facets = facet_buckets.facets
