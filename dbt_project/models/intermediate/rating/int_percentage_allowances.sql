with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where charge_model = 'percentage'

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}
    where has_free_allowance or has_event_limits

),

events as (

    select
        sequenced.moment_id,
        sequenced.charge_code,
        sequenced.filter_position,
        sequenced.group_values,
        sequenced.sequence_number,
        sequenced.event_at,
        sequenced.received_at,
        sequenced.aggregation_type,
        sequenced.quantity,
        sequenced.running_total,
        buckets.free_events,
        buckets.free_total,
        buckets.rate,
        buckets.fixed_amount,
        buckets.event_min_amount,
        buckets.event_max_amount
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join charge_windows
        on
            sequenced.moment_id = charge_windows.moment_id
            and sequenced.charge_code = charge_windows.charge_code
    inner join buckets
        on
            charge_windows.organization_id = buckets.organization_id
            and charge_windows.plan_code = buckets.plan_code
            and charge_windows.plan_effective_at = buckets.plan_effective_at
            and charge_windows.charge_code = buckets.charge_code
            and sequenced.filter_position = buckets.filter_position

),

{#
  The usage as it is (list 0), and what was known of it when an event in advance was charged before one that lies before
  it was known (a list by the number of that event).
#}
lists as (

    select
        events.*,
        0 as list_number,
        events.sequence_number as list_position,
        events.running_total as list_total
    from events

    union all

    select
        events.*,
        advance.list_number,
        row_number() over (
            partition by
                events.moment_id,
                events.charge_code,
                events.filter_position,
                events.group_values,
                advance.list_number
            order by events.sequence_number
        ) as list_position,
        advance.running_total as list_total
    from {{ ref('int_advance_events') }} as advance
    inner join events
        on
            advance.moment_id = events.moment_id
            and advance.charge_code = events.charge_code
            and advance.filter_position = events.filter_position
            and advance.group_values = events.group_values
            and advance.sequence_number >= events.sequence_number
    left join {{ ref('int_advance_events') }} as earlier
        on
            events.moment_id = earlier.moment_id
            and events.charge_code = earlier.charge_code
            and events.filter_position = earlier.filter_position
            and events.group_values = earlier.group_values
            and events.sequence_number = earlier.sequence_number
    where
        advance.list_number > 0
        and coalesce(
            advance.charge_number >= earlier.charge_number,
            greatest(advance.event_at, advance.received_at) >= greatest(events.event_at, events.received_at)
        )

),

valued as (

    select
        lists.*,
        cast(sum(lists.quantity) over list_order as decimal(38, 12)) as values_total,
        {# of a maximum the first highest event carries the value, all others nothing #}
        case
            when lists.aggregation_type <> 'max_agg' then lists.quantity
            when
                row_number() over (
                    partition by
                        lists.moment_id,
                        lists.charge_code,
                        lists.filter_position,
                        lists.group_values,
                        lists.list_number
                    order by lists.quantity desc, lists.list_position asc
                ) = 1
                then lists.quantity
            else cast(0 as decimal(27, 12))
        end as event_value
    from lists
    window list_order as (
        partition by
            lists.moment_id, lists.charge_code, lists.filter_position, lists.group_values, lists.list_number
        order by lists.list_position
        rows between unbounded preceding and current row
    )

),

totalled as (

    select
        valued.*,
        cast(sum(valued.event_value) over (
            partition by
                valued.moment_id, valued.charge_code, valued.filter_position, valued.group_values, valued.list_number
            order by valued.list_position
            rows between unbounded preceding and current row
        ) as decimal(38, 12)) as event_values_total
    from valued

),

{# the event at which the free total is passed, and the one at which it is used up #}
crossed as (

    select
        totalled.*,
        min(case when totalled.values_total > totalled.free_total then totalled.list_position end) over usage
            as passed_at,
        min(case when totalled.event_values_total >= totalled.free_total then totalled.list_position end) over usage
            as used_up_at
    from totalled
    window usage as (
        partition by
            totalled.moment_id,
            totalled.charge_code,
            totalled.filter_position,
            totalled.group_values,
            totalled.list_number
    )

),

{#
  How many running totals are kept: of a sum the first ones with free events, else those up to the first one above the
  free total; of counts all of 1, 2, ... up to the count.
#}
listed as (

    select
        crossed.*,
        crossed.aggregation_type in ('count_agg', 'unique_count_agg') as is_counted,
        case
            when crossed.aggregation_type = 'count_agg' then crossed.list_position
            when crossed.aggregation_type = 'unique_count_agg' then cast(crossed.list_total as bigint)
            when crossed.free_events is not null then least(crossed.free_events, crossed.list_position)
            else least(crossed.passed_at, crossed.list_position)
        end as list_length
    from crossed

),

counted as (

    select
        listed.*,
        case
            when listed.is_counted
                then least(listed.list_length, cast(ceil(listed.free_total) as bigint) - 1)
            else sum(
                case
                    when
                        listed.values_total < listed.free_total
                        and listed.list_position
                        <= coalesce(listed.free_events, listed.passed_at, listed.list_position)
                        then 1
                    else 0
                end
            ) over (
                partition by
                    listed.moment_id,
                    listed.charge_code,
                    listed.filter_position,
                    listed.group_values,
                    listed.list_number
                order by listed.list_position
                rows between unbounded preceding and current row
            )
        end as totals_below_count
    from listed

),

{# the total at the end of each list; with free events fewer than a count, the total at the last free one #}
ended as (

    select
        counted.*,
        case
            when not counted.is_counted then list_ends.values_total
            when counted.free_events < counted.list_length then cast(counted.free_events as decimal(38, 12))
            else cast(counted.list_length as decimal(38, 12))
        end as last_total,
        counted.is_counted and coalesce(counted.free_events < counted.list_length, false) as is_ended_by_events
    from counted
    left join counted as list_ends
        on
            counted.moment_id = list_ends.moment_id
            and counted.charge_code = list_ends.charge_code
            and counted.filter_position = list_ends.filter_position
            and counted.group_values = list_ends.group_values
            and counted.list_number = list_ends.list_number
            and counted.list_length = list_ends.list_position

)

select
    ended.moment_id,
    ended.charge_code,
    ended.filter_position,
    ended.group_values,
    ended.list_number,
    ended.sequence_number,
    case
        when ended.free_events is null and ended.free_total is null then cast(0 as decimal(38, 12))
        when ended.is_ended_by_events or ended.free_total is null or ended.last_total <= ended.free_total
            then ended.last_total
        else cast(ended.free_total as decimal(38, 12))
    end as free_units,
    cast(
        case
            when ended.free_total is null or ended.totals_below_count = 0 then coalesce(ended.free_events, 0)
            else least(ended.totals_below_count, coalesce(ended.free_events, ended.totals_below_count))
        end as bigint
    ) as free_events_count,
    {#
      With limits each event stands for itself: free while the free total is not used up (the event that uses it up pays
      on the part above), without a free total the first events are free.
    #}
    case
        when ended.free_total is not null and coalesce(ended.list_position < ended.used_up_at, true)
            then cast(0 as decimal(38, 26))
        when ended.free_total is null and ended.list_position <= coalesce(ended.free_events, 0)
            then cast(0 as decimal(38, 26))
        else cast(
            {{ price_limited_event(
                'case when ended.list_position = ended.used_up_at'
                ~ ' then ended.event_values_total - ended.free_total else ended.event_value end',
                'ended.rate', 'ended.fixed_amount', 'ended.event_min_amount', 'ended.event_max_amount'
            ) }} as decimal(38, 26)
        )
    end as limited_amount
from ended
where ended.list_number = 0 or ended.list_number = ended.sequence_number
