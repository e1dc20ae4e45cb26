{#
  The one pass over the events: counts, sums and extremes of what charges measure, so that all that follows reads groups
  of events. Every rule here is independent of the order of events; where the order decides, it is that of instants, and
  only events of one instant are looked at again (int_latest_values, int_unique_counts).
#}
{%- set is_told = 'located.is_latest_read and located.quantity is not null' -%}
{%- set time_left = microseconds_between('located.event_at', 'located.level_ends_at') -%}
with

located as (

    select
        located.*,
        {# a place says whose it is: numbers are grouped at half the price of texts #}
        case when located.place_number is null then located.organization_id end as unplaced_organization_id,
        case when located.place_number is null then located.external_subscription_id end as unplaced_subscription_id,
        located.quantity is not null as is_readable,
        {# what an earlier close recorded of a finalised period (ledger_moment_fates) is counted there #}
        case when located.is_recorded then 'finalized' else located.fate end as counted_fate
    from {{ ref('int_events_located') }} as located

),

totals as (

    select
        located.place_number,
        located.unplaced_organization_id,
        located.unplaced_subscription_id,
        located.code,
        located.counted_fate as fate,
        located.facets,
        located.item,
        located.is_remove,
        located.is_readable,
        count(*) as events_count,
        sum(located.quantity) as total,
        max(located.quantity) as highest_value,
        {# a level by time #}
        sum(
            case when located.level_ends_at is not null then {{ whole_over_time('located.quantity', time_left) }} end
        ) as whole_microseconds,
        sum(
            case when located.level_ends_at is not null then {{ fraction_over_time('located.quantity', time_left) }} end
        ) as fraction_microseconds,
        min(located.event_at) as first_event_at,
        max(located.event_at) as last_event_at,
        {# of the last instant at which a quantity was told the greatest and the least one #}
        {% for name, keys in [
            ('latest_highest_value', ['event_at', 'quantity']),
            ('latest_lowest_value', ['event_at', '-quantity']),
        ] -%}
            {{ last_by('located.quantity', keys, is_told) }} as {{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from located
    group by
        located.place_number,
        located.unplaced_organization_id,
        located.unplaced_subscription_id,
        located.code,
        located.counted_fate,
        located.facets,
        located.item,
        located.is_remove,
        located.is_readable

)

select
    coalesce(places.organization_id, totals.unplaced_organization_id) as organization_id,
    coalesce(places.external_subscription_id, totals.unplaced_subscription_id) as external_subscription_id,
    totals.place_number,
    places.moment_id,
    totals.code,
    totals.fate,
    totals.facets,
    totals.item,
    totals.is_remove,
    totals.is_readable,
    totals.events_count,
    totals.total,
    totals.highest_value,
    totals.whole_microseconds,
    totals.fraction_microseconds,
    totals.first_event_at,
    totals.last_event_at,
    totals.latest_highest_value,
    totals.latest_lowest_value
from totals
left join {{ ref('int_event_places') }} as places
    on totals.place_number = places.place_number
