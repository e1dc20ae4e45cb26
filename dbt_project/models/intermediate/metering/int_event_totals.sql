{#
  The one pass over the events: counts, sums and extremes of what charges measure, so that all that follows reads groups
  of events. Every rule here is independent of the order of events; where the order decides, it is that of instants, and
  only events of one instant are looked at again (int_latest_values, int_unique_items).
#}
{%- set is_told = 'located.is_latest_read and located.quantity is not null' -%}
{%- set time_left = microseconds_between('located.event_at', 'located.level_ends_at') -%}
with

located as (

    select
        located.*,
        {# a moment says whose it is: numbers are grouped at half the price of texts #}
        case when located.moment_number is null then located.organization_id end as unplaced_organization_id,
        case when located.moment_number is null then located.external_subscription_id end as unplaced_subscription_id,
        {# what an earlier close recorded of a finalised period (ledger_moment_fates) is counted there #}
        case when located.is_recorded then 'finalized' else located.fate end as counted_fate
    from {{ ref('int_events_located') }} as located

),

numbered_moments as (

    {{ numbered_moments() }}

),

totals as (

    select
        located.moment_number,
        located.unplaced_organization_id,
        located.unplaced_subscription_id,
        located.code,
        located.counted_fate as fate,
        located.facets,
        located.item,
        count(*) as events_count,
        count(located.quantity) as quantities_count,
        sum(located.quantity) as total,
        max(located.quantity) as highest_value,
        {# a level by time #}
        sum(
            case when located.level_ends_at is not null then {{ whole_over_time('located.quantity', time_left) }} end
        ) as whole_microseconds,
        sum(
            case when located.level_ends_at is not null then {{ fraction_over_time('located.quantity', time_left) }} end
        ) as fraction_microseconds,
        {# the last instant at which a quantity was told, and the least and the greatest one of that instant #}
        max(case when {{ is_told }} then located.event_at end) as latest_event_at,
        {% for name, keys in [
            ('latest_highest_value', ['event_at', 'quantity']),
            ('latest_lowest_value', ['event_at', '-quantity']),
        ] -%}
            {{ last_by('located.quantity', keys, is_told) }} as {{ name }},
        {% endfor -%}
        {# when an item was last added and last removed #}
        max(case when located.item is not null and not located.is_remove then located.event_at end) as last_added_at,
        max(case when located.item is not null and located.is_remove then located.event_at end) as last_removed_at,
        {# the span of what lies outside of every period #}
        min(located.event_at) filter (where located.moment_number is null) as unplaced_from_at,
        max(located.event_at) filter (where located.moment_number is null) as unplaced_to_at
    from located
    group by
        located.moment_number,
        located.unplaced_organization_id,
        located.unplaced_subscription_id,
        located.code,
        located.counted_fate,
        located.facets,
        located.item

)

select
    coalesce(numbered_moments.organization_id, totals.unplaced_organization_id) as organization_id,
    coalesce(
        numbered_moments.external_subscription_id, totals.unplaced_subscription_id
    ) as external_subscription_id,
    totals.code,
    numbered_moments.moment_id,
    totals.fate,
    totals.facets,
    totals.item,
    totals.events_count,
    totals.quantities_count,
    totals.total,
    totals.highest_value,
    totals.whole_microseconds,
    totals.fraction_microseconds,
    totals.latest_event_at,
    totals.latest_highest_value,
    totals.latest_lowest_value,
    totals.last_added_at,
    totals.last_removed_at,
    totals.unplaced_from_at,
    totals.unplaced_to_at
from totals
left join numbered_moments
    on totals.moment_number = numbered_moments.moment_number
