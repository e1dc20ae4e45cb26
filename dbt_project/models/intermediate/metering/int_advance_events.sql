with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_pay_in_advance

),

{#
  Events are charged in the order in which they became known, which is mostly the order in which they happened; one
  whose value is blank makes no fee (semantics/rating.md section 7; int_event_readings leaves it out).
#}
charged as (

    select
        sequenced.*,
        row_number() over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by greatest(sequenced.event_at, sequenced.received_at), sequenced.sequence_number
        ) as charge_number,
        {# charged before an event that lies before it was known #}
        coalesce(
            max(greatest(sequenced.event_at, sequenced.received_at)) over (
                partition by
                    sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
                order by sequenced.sequence_number
                rows between unbounded preceding and 1 preceding
            ) > greatest(sequenced.event_at, sequenced.received_at), false
        ) as is_overtaking
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join charge_windows
        on
            sequenced.moment_id = charge_windows.moment_id
            and sequenced.charge_code = charge_windows.charge_code

),

{# of an event charged early only what was known then counts: the fee stays as it was made #}
known as (

    select
        overtaking.moment_id,
        overtaking.charge_code,
        overtaking.filter_position,
        overtaking.group_values,
        overtaking.sequence_number,
        earlier.sequence_number as earlier_number,
        {{ level_step(
            'earlier',
            'lag(earlier.is_remove) over ('
            ~ 'partition by overtaking.moment_id, overtaking.charge_code, overtaking.filter_position,'
            ~ ' overtaking.group_values, overtaking.sequence_number, earlier.item'
            ~ ' order by earlier.sequence_number)'
        ) }} as change
    from charged as overtaking
    inner join charged as earlier
        on
            overtaking.moment_id = earlier.moment_id
            and overtaking.charge_code = earlier.charge_code
            and overtaking.filter_position = earlier.filter_position
            and overtaking.group_values = earlier.group_values
            and overtaking.sequence_number >= earlier.sequence_number
            and overtaking.charge_number >= earlier.charge_number
    where overtaking.is_overtaking

),

known_totals as (

    select
        known.moment_id,
        known.charge_code,
        known.filter_position,
        known.group_values,
        known.sequence_number,
        count(*) as known_count,
        sum(known.change) as known_total,
        max(case when known.earlier_number = known.sequence_number then known.change end) as change
    from known
    group by
        known.moment_id, known.charge_code, known.filter_position, known.group_values, known.sequence_number

),

as_known as (

    select
        charged.moment_id,
        charged.charge_code,
        charged.filter_position,
        charged.group_values,
        charged.organization_id,
        charged.external_subscription_id,
        charged.transaction_id,
        charged.event_at,
        charged.received_at,
        charged.event_date,
        charged.is_in_period,
        charged.sequence_number,
        charged.charge_number,
        charged.is_overtaking,
        charged.quantity,
        charged.precise_total_amount_cents,
        coalesce(known_totals.change, charged.change) as change,
        coalesce(known_totals.known_count, charged.sequence_number) as known_count,
        coalesce(known_totals.known_total, charged.running_total) as known_total
    from charged
    left join known_totals
        on
            charged.moment_id = known_totals.moment_id
            and charged.charge_code = known_totals.charge_code
            and charged.filter_position = known_totals.filter_position
            and charged.group_values = known_totals.group_values
            and charged.sequence_number = known_totals.sequence_number

),

totalled as (

    select
        as_known.*,
        sum(case when as_known.is_in_period then as_known.change else 0 end) over (
            partition by as_known.moment_id, as_known.charge_code, as_known.filter_position, as_known.group_values
            order by as_known.charge_number
            rows between unbounded preceding and current row
        ) as period_total
    from as_known

),

{# the highest level of the period so far, which has been paid for; it begins at zero #}
levelled as (

    select
        totalled.*,
        greatest(max(totalled.period_total) over (
            partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
            order by totalled.charge_number
            rows between unbounded preceding and current row
        ), 0) as highest_total,
        greatest(coalesce(max(totalled.period_total) over (
            partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
            order by totalled.charge_number
            rows between unbounded preceding and 1 preceding
        ), 0), 0) as previous_highest_total
    from totalled

)

select
    levelled.moment_id,
    levelled.charge_code,
    levelled.filter_position,
    levelled.group_values,
    levelled.organization_id,
    levelled.external_subscription_id,
    levelled.transaction_id,
    levelled.event_at,
    levelled.received_at,
    levelled.event_date,
    levelled.sequence_number,
    levelled.quantity,
    cast(levelled.change as decimal(27, 12)) as change,
    {# 0: the usage as it is; else the number of the event whose usage was another one when it was charged #}
    case when levelled.is_overtaking then levelled.sequence_number else 0 end as list_number,
    cast(levelled.known_count as bigint) as known_count,
    cast(levelled.known_total as decimal(38, 12)) as running_total,
    cast(levelled.period_total as decimal(38, 12)) as period_total,
    cast(levelled.highest_total as decimal(38, 12)) as highest_total,
    cast(levelled.highest_total - levelled.previous_highest_total as decimal(38, 12)) as billed_units,
    {{ prorate_units(
        '((levelled.highest_total - levelled.previous_highest_total) * ('
        ~ days_between('levelled.event_date', 'charge_windows.usage_full_to_date') ~ ' + 1))',
        'charge_windows.usage_full_days_count'
    ) }} as billed_prorated_units,
    levelled.precise_total_amount_cents
from levelled
inner join charge_windows
    on
        levelled.moment_id = charge_windows.moment_id
        and levelled.charge_code = charge_windows.charge_code
where levelled.is_in_period
