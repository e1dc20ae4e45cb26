with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where charge_model = 'percentage'

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}
    where has_free_allowance or has_event_limits

),

sequenced as (

    select
        sequenced.moment_id,
        sequenced.charge_code,
        sequenced.filter_position,
        sequenced.group_values,
        sequenced.transaction_id,
        sequenced.sequence_number,
        sequenced.is_in_period,
        sequenced.aggregation_type,
        sequenced.quantity,
        {# for a count and a unique count the totals are 1, 2, ... #}
        case
            when sequenced.aggregation_type in ('count_agg', 'unique_count_agg')
                then cast(sequenced.sequence_number as decimal(38, 12))
            else cast(sum(sequenced.quantity) over usage_order as decimal(38, 12))
        end as values_total,
        {# of a maximum the first highest event carries the value, all others nothing #}
        case
            when sequenced.aggregation_type <> 'max_agg' then sequenced.quantity
            when row_number() over value_order = 1 then sequenced.quantity
            else cast(0 as decimal(27, 12))
        end as event_value,
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
    window
        usage_order as (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by sequenced.sequence_number
            rows between unbounded preceding and current row
        ),
        value_order as (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by sequenced.quantity desc, sequenced.sequence_number asc
        )

),

totalled as (

    select
        sequenced.*,
        cast(sum(sequenced.event_value) over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by sequenced.sequence_number
            rows between unbounded preceding and current row
        ) as decimal(38, 12)) as event_values_total
    from sequenced

),

{# the event at which the free total is passed, and the one at which it is used up #}
crossed as (

    select
        totalled.*,
        min(case when totalled.values_total > totalled.free_total then totalled.sequence_number end) over usage
            as passed_at_number,
        min(case when totalled.event_values_total >= totalled.free_total then totalled.sequence_number end) over usage
            as used_up_at_number
    from totalled
    window usage as (
        partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
    )

),

{#
  The running totals that are kept: with free events the first of them (a count keeps all), else up to the first one
  above the free total.
#}
listed as (

    select
        crossed.*,
        case
            when crossed.aggregation_type in ('count_agg', 'unique_count_agg') then crossed.sequence_number
            when crossed.free_events is not null then least(crossed.free_events, crossed.sequence_number)
            else least(coalesce(crossed.passed_at_number, crossed.sequence_number), crossed.sequence_number)
        end as list_length
    from crossed

),

counted as (

    select
        listed.*,
        sum(
            case
                when
                    listed.values_total < listed.free_total
                    and (
                        listed.aggregation_type in ('count_agg', 'unique_count_agg')
                        or listed.sequence_number
                        <= coalesce(listed.free_events, listed.passed_at_number, listed.sequence_number)
                    )
                    then 1
                else 0
            end
        ) over (
            partition by listed.moment_id, listed.charge_code, listed.filter_position, listed.group_values
            order by listed.sequence_number
            rows between unbounded preceding and current row
        ) as totals_below_count
    from listed

),

{# the total at the end of each list, and at the last free event #}
ended as (

    select
        counted.*,
        list_ends.values_total as last_total,
        free_ends.values_total as free_events_total
    from counted
    inner join counted as list_ends
        on
            counted.moment_id = list_ends.moment_id
            and counted.charge_code = list_ends.charge_code
            and counted.filter_position = list_ends.filter_position
            and counted.group_values = list_ends.group_values
            and counted.list_length = list_ends.sequence_number
    left join counted as free_ends
        on
            counted.moment_id = free_ends.moment_id
            and counted.charge_code = free_ends.charge_code
            and counted.filter_position = free_ends.filter_position
            and counted.group_values = free_ends.group_values
            and counted.free_events = free_ends.sequence_number

)

select
    ended.moment_id,
    ended.charge_code,
    ended.filter_position,
    ended.group_values,
    ended.transaction_id,
    ended.sequence_number,
    case
        when ended.free_events is null and ended.free_total is null or ended.last_total = 0
            then cast(0 as decimal(38, 12))
        when ended.free_events < ended.list_length then ended.free_events_total
        when ended.free_total is null or ended.last_total <= ended.free_total then ended.last_total
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
        when ended.free_total is not null and coalesce(ended.sequence_number < ended.used_up_at_number, true)
            then cast(0 as decimal(38, 26))
        when ended.free_total is null and ended.sequence_number <= coalesce(ended.free_events, 0)
            then cast(0 as decimal(38, 26))
        else cast(
            {{ price_limited_event(
                'case when ended.sequence_number = ended.used_up_at_number'
                ~ ' then ended.event_values_total - ended.free_total else ended.event_value end',
                'ended.rate', 'ended.fixed_amount', 'ended.event_min_amount', 'ended.event_max_amount'
            ) }} as decimal(38, 26)
        )
    end as limited_amount
from ended
