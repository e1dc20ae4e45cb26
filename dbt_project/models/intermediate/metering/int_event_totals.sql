{#
  The one pass over the events: counts, sums and extremes of what charges measure, so that all that follows reads groups
  of events. Every rule here is independent of the order of events; where the order decides, it is that of instants, and
  only events of one instant are looked at again (int_latest_values, int_unique_items).
#}
with

located as (

    select
        located.*,
        case when located.is_latest_read then located.quantity end as latest_quantity,
        case
            when located.level_ends_at is not null
                then {{ microseconds_between('located.event_at', 'located.level_ends_at') }}
        end as microseconds_left
    from {{ ref('int_events_located') }} as located

)


select
    located.organization_id,
    located.external_subscription_id,
    located.code,
    located.moment_id,
    located.fate,
    located.is_read,
    located.is_measured,
    located.facets,
    located.item,
    count(*) as events_count,
    count(located.quantity) as quantities_count,
    sum(located.quantity) as total,
    max(located.quantity) as highest_value,
    {# a level by time #}
    sum({{ whole_over_time('located.quantity', 'located.microseconds_left') }}) as whole_microseconds,
    sum({{ fraction_over_time('located.quantity', 'located.microseconds_left') }}) as fraction_microseconds,
    {# the last instant at which a quantity was told, and the least and the greatest one of that instant #}
    max(case when located.latest_quantity is not null then located.event_at end) as latest_event_at,
    {% for name, column, keys in [
        ('latest_received_at', 'received_at', ['event_at', 'received_at']),
        ('latest_highest_value', 'latest_quantity', ['event_at', 'received_at', 'latest_quantity']),
        ('latest_lowest_value', 'latest_quantity', ['event_at', 'received_at', '-latest_quantity']),
    ] -%}
        {{ last_by('case when latest_quantity is not null then located.' ~ column ~ ' end', keys) }} as {{ name }},
    {% endfor -%}
    {# when an item was last added and last removed #}
    max(case when located.item is not null and not located.is_remove then located.event_at end) as last_added_at,
    max(case when located.item is not null and located.is_remove then located.event_at end) as last_removed_at
from located
group by
    located.organization_id,
    located.external_subscription_id,
    located.code,
    located.moment_id,
    located.fate,
    located.is_read,
    located.is_measured,
    located.facets,
    located.item
