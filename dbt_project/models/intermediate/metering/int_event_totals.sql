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

),

timed as (

    select
        located.*,
        case
            when located.microseconds_left is not null
                then {{ divide_integers('located.microseconds_left', 1000000) }}
        end as seconds_left
    from located

)

select
    timed.organization_id,
    timed.external_subscription_id,
    timed.code,
    timed.moment_id,
    timed.fate,
    timed.is_read,
    timed.is_measured,
    timed.facets,
    timed.item,
    count(*) as events_count,
    count(timed.quantity) as quantities_count,
    sum(timed.quantity) as total,
    max(timed.quantity) as highest_value,
    {# a level by time: whole seconds and the rest apart, so that a quantity of 15 digits keeps within 38 #}
    sum(cast(timed.quantity * cast(timed.seconds_left as decimal(11, 0)) as decimal(38, 12))) as quantity_seconds,
    sum(
        cast(timed.quantity * cast(timed.microseconds_left % 1000000 as decimal(11, 0)) as decimal(38, 12))
    ) as quantity_microseconds,
    {# the last instant at which a quantity was told, and the least and the greatest one of that instant #}
    max(case when timed.latest_quantity is not null then timed.event_at end) as latest_event_at,
    {% for name, column, keys in [
        ('latest_received_at', 'received_at', ['event_at', 'received_at']),
        ('latest_highest_value', 'latest_quantity', ['event_at', 'received_at', 'latest_quantity']),
        ('latest_lowest_value', 'latest_quantity', ['event_at', 'received_at', '-latest_quantity']),
    ] -%}
        {{ last_by('case when latest_quantity is not null then timed.' ~ column ~ ' end', keys) }} as {{ name }},
    {% endfor -%}
    {# when an item was last added and last removed #}
    max(case when timed.item is not null and not timed.is_remove then timed.event_at end) as last_added_at,
    max(case when timed.item is not null and timed.is_remove then timed.event_at end) as last_removed_at
from timed
group by
    timed.organization_id,
    timed.external_subscription_id,
    timed.code,
    timed.moment_id,
    timed.fate,
    timed.is_read,
    timed.is_measured,
    timed.facets,
    timed.item
