with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_pay_in_advance

),

{#
  Events are charged in the order in which they became known, which is mostly the order in which they happened; one
  whose value is blank makes no fee (docs/billing-rules.md, Prices; int_event_readings leaves it out).
#}
sequenced as (

    select
        sequenced.*,
        {{ advance_event_id('sequenced') }} as advance_event_id,
        greatest(sequenced.event_at, sequenced.received_at) as charged_at,
        charge_windows.is_charging,
        charge_windows.charging_from_at
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join charge_windows
        on
            sequenced.moment_id = charge_windows.moment_id
            and sequenced.charge_code = charge_windows.charge_code

),

charged_before as (

    select
        moments.moment_id as advance_event_id,
        moments.organization_id,
        moments.close_id
    from {{ ref('stg_ledger__moments') }} as moments
    where moments.reason = 'advance_charge'

    union all

    select
        {{ advance_event_id('fees', 'fee_code') }} as advance_event_id,
        fees.organization_id,
        fees.close_id
    from {{ ref('stg_ledger__standalone_fees') }} as fees
    where fees.reason = 'advance_charge'

),

{# up to when closes had charged events, before each of them and before this one #}
closed as (

    select
        closes.organization_id,
        closes.close_id,
        lag(closes.as_of) over (partition by closes.organization_id order by closes.close_id nulls last) as closed_to_at
    from (
        select
            close_organizations.organization_id,
            close_organizations.close_id,
            close_organizations.as_of
        from {{ ref('stg_ledger__close_organizations') }} as close_organizations

        union all

        select
            close_scope.organization_id,
            null as close_id,
            close_scope.as_of
        from {{ ref('stg_events__close_scope') }} as close_scope
    ) as closes

),

placed as (

    select
        sequenced.*,
        row_number() over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by
                {# what lands after a close is charged after all that the close has charged #}
                greatest(
                    sequenced.charged_at,
                    case when sequenced.is_in_period then coalesce(closed.closed_to_at, sequenced.charged_at) end
                ),
                sequenced.charged_at,
                sequenced.sequence_number
        ) as charge_number
    from sequenced
    left join charged_before
        on sequenced.advance_event_id = charged_before.advance_event_id
    left join closed
        on
            sequenced.organization_id = closed.organization_id
            and closed.close_id is not distinct from charged_before.close_id

),

charged as (

    select
        placed.*,
        {# charged before an event that lies before it was known #}
        coalesce(
            max(placed.charge_number) over (
                partition by placed.moment_id, placed.charge_code, placed.filter_position, placed.group_values
                order by placed.sequence_number
                rows between unbounded preceding and 1 preceding
            ) > placed.charge_number, false
        ) as is_overtaking
    from placed

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
        charged.advance_event_id,
        charged.charged_at,
        charged.is_charging,
        charged.charging_from_at,
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
        ), 0), 0) as previous_highest_total,
        {# the first flat fee falls due with the first event that does not leave the total below zero #}
        coalesce(max(totalled.known_total) over (
            partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
            order by totalled.charge_number
            rows between unbounded preceding and 1 preceding
        ) >= 0, false) as is_begun
    from totalled

),

in_period as (

    select
        levelled.*,
        coalesce(levelled.is_charging, true)
        and coalesce(levelled.charged_at >= levelled.charging_from_at, true) as is_due
    from levelled
    where levelled.is_in_period

),

{# each event is charged once, also when a correction moves it #}
numbered as (

    select
        in_period.*,
        in_period.is_due and row_number() over (
            partition by in_period.advance_event_id, in_period.is_due
            order by in_period.charged_at, in_period.charging_from_at nulls first
        ) = 1 as is_charged
    from in_period

)

select
    {# the event that is charged: of another knowledge of the period than the one that charges it, once more #}
    numbered.advance_event_id,
    case
        when numbered.is_charged then numbered.advance_event_id
        else {{ surrogate_key(['numbered.advance_event_id', 'numbered.moment_id']) }}
    end as charging_id,
    numbered.is_charged,
    case when numbered.is_charged then charge_windows.period_moment_id else numbered.moment_id end
        as period_moment_id,
    numbered.moment_id,
    numbered.charge_code,
    numbered.filter_position,
    numbered.group_values,
    numbered.organization_id,
    numbered.external_subscription_id,
    numbered.transaction_id,
    numbered.event_at,
    numbered.received_at,
    numbered.event_date,
    numbered.charged_at,
    cast(numbered.charge_number as bigint) as charge_number,
    numbered.sequence_number,
    numbered.quantity,
    cast(numbered.change as decimal(27, 12)) as change,
    {# 0: the usage as it is; else the number of the event whose usage was another one when it was charged #}
    case when numbered.is_overtaking then numbered.sequence_number else 0 end as list_number,
    cast(numbered.known_count as bigint) as known_count,
    cast(numbered.known_total as decimal(38, 12)) as running_total,
    numbered.is_begun,
    cast(numbered.period_total as decimal(38, 12)) as period_total,
    cast(numbered.highest_total as decimal(38, 12)) as highest_total,
    cast(numbered.highest_total - numbered.previous_highest_total as decimal(38, 12)) as billed_units,
    {{ prorate_units(
        '((numbered.highest_total - numbered.previous_highest_total) * ('
        ~ days_between('numbered.event_date', 'charge_windows.usage_full_to_date') ~ ' + 1))',
        'charge_windows.usage_full_days_count'
    ) }} as billed_prorated_units,
    numbered.precise_total_amount_cents
from numbered
inner join charge_windows
    on
        numbered.moment_id = charge_windows.moment_id
        and numbered.charge_code = charge_windows.charge_code
