with

asked as (

    select * from {{ ref('int_subscriptions_asked') }}

),

changes as (

    select * from {{ ref('int_subscription_changes') }}
    where change <> 'none'

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

decided as (

    select
        changes.*,
        lead(changes.created_at) over (lineage) as next_created_at
    from changes
    window lineage as (
        partition by changes.organization_id, changes.external_subscription_id
        order by changes.created_at
    )

),

{#
  What waits (a pending start, a downgrade) is replaced by the next row asked for, and is off when it is terminated
  itself, or when the running row ends first.
#}
started as (

    select
        decided.*,
        asked.external_customer_id,
        asked.plan_code,
        asked.base_plan_code,
        asked.plan_interval,
        asked.is_pay_in_advance,
        asked.is_usage_billed_monthly,
        asked.is_fixed_billed_monthly,
        asked.trial_period_days,
        asked.subscription_date,
        asked.created_date,
        asked.subscription_name,
        asked.purchase_order_number,
        asked.on_termination_credit_note,
        asked.on_termination_invoice,
        asked.timezone_history,
        asked.invoice_grace_period,
        asked.close_id,
        asked.as_of,
        asked.known_batch_id,
        {# an end before the start ends the row when it starts #}
        case when asked.terminated_at is not null then greatest(asked.terminated_at, decided.starts_at) end
            as terminated_at,
        case when decided.ending_starts_at is not null then greatest(decided.ending_starts_at, decided.starts_at) end
            as ends_at
    from decided
    inner join asked
        on
            decided.organization_id = asked.organization_id
            and decided.external_subscription_id = asked.external_subscription_id
            and decided.created_at = asked.created_at
    where
        coalesce(decided.next_created_at >= decided.starts_at, true)
        and coalesce(decided.off_at > decided.starts_at, true)
        and (
            decided.starts_at <= decided.created_at
            or coalesce(least(asked.terminated_at, decided.ending_starts_at) > decided.starts_at, true)
        )

),

followed as (

    select
        started.*,
        min(started.starts_at) over (
            partition by started.organization_id, started.external_subscription_id
        ) as first_started_at,
        lead(started.change) over (lineage) as next_change,
        lead(started.starts_at) over (lineage) as next_starts_at,
        lead(started.created_at) over (lineage) as next_created_at_started,
        lead(started.plan_code) over (lineage) as next_plan_code,
        lag(started.created_at) over (lineage) as previous_created_at,
        lag(least(started.terminated_at, started.ends_at)) over (lineage) as previous_ended_at,
        lag(started.terminated_at) over (lineage) as previous_terminated_at
    from started
    window lineage as (
        partition by started.organization_id, started.external_subscription_id
        order by started.created_at
    )

),

{# how a row ended, as far as as_of #}
ended as (

    select
        followed.*,
        case
            when followed.next_change in ('upgrade', 'downgrade') and followed.next_starts_at <= followed.as_of
                then followed.next_change
            when least(followed.terminated_at, followed.ends_at) <= followed.as_of then 'termination'
        end as ended_by,
        case
            when followed.next_change in ('upgrade', 'downgrade') and followed.next_starts_at <= followed.as_of
                then followed.next_starts_at
            when least(followed.terminated_at, followed.ends_at) <= followed.as_of
                then least(followed.terminated_at, followed.ends_at)
        end as ended_at,
        coalesce(followed.ends_at <= followed.terminated_at, followed.ends_at is not null) as is_end_date_first,
        {{ add_seconds('followed.first_started_at', 'cast(round(followed.trial_period_days * 86400) as bigint)') }}
            as trial_ended_at
    from followed

)

select
    ended.organization_id,
    ended.external_subscription_id,
    ended.created_at,
    ended.external_customer_id,
    ended.plan_code,
    ended.base_plan_code,
    ended.plan_interval,
    ended.is_pay_in_advance,
    ended.is_usage_billed_monthly,
    ended.is_fixed_billed_monthly,
    case when ended.is_usage_billed_monthly then 'monthly' else ended.plan_interval end as usage_interval,
    ended.billing_time,
    ended.subscription_name,
    ended.purchase_order_number,
    ended.on_termination_credit_note,
    ended.on_termination_invoice,
    start_offsets.timezone,
    ended.timezone_history,
    ended.invoice_grace_period,
    ended.change as started_by,
    ended.change in ('upgrade', 'downgrade') as has_previous_row,
    ended.change = 'start' and ended.subscription_date < ended.created_date as is_started_in_the_past,
    coalesce(ended.change = 'start' and ended.previous_ended_at = ended.starts_at, false) as is_started_at_an_end,
    ended.created_date,
    {{ to_local_date('ended.starts_at', 'start_offsets.utc_offset_seconds') }} as started_date,
    ended.starts_at as started_at,
    {{ add_seconds('ended.starts_at', 'start_offsets.utc_offset_seconds') }} as local_started_at,
    {# a subscription that begins anew at a termination leaves that instant to the row that was terminated #}
    case
        when
            ended.change = 'start'
            and ended.previous_ended_at = ended.starts_at
            and ended.previous_terminated_at = ended.starts_at
            then ended.starts_at + interval '1 microsecond'
        else ended.starts_at
    end as usage_started_at,
    case when ended.change in ('upgrade', 'downgrade') then ended.previous_created_at end as previous_created_at,
    ended.ended_by,
    ended.ended_at,
    ended.ended_by = 'termination' and ended.is_end_date_first as is_ended_by_end_date,
    {{ to_local_date('ended.ended_at', 'end_offsets.utc_offset_seconds') }} as ended_date,
    {{ add_seconds('ended.ended_at', 'end_offsets.utc_offset_seconds') }} as local_ended_at,
    case when ended.ended_by in ('upgrade', 'downgrade') then ended.next_created_at_started end as next_created_at,
    case when ended.ended_by in ('upgrade', 'downgrade') then ended.next_plan_code end as next_plan_code,
    {# counted from the first start under this id, by the trial of the row's own plan #}
    case when ended.trial_period_days > 0 then ended.trial_ended_at end as trial_ended_at,
    case
        when ended.trial_period_days > 0
            then {{ add_seconds('ended.trial_ended_at', 'trial_offsets.utc_offset_seconds') }}
    end as local_trial_ended_at,
    ended.anchor_month,
    ended.anchor_day,
    ended.anchor_weekday,
    ended.close_id,
    ended.as_of,
    ended.known_batch_id
from ended
inner join local_offsets as start_offsets
    on
        ended.timezone_history = start_offsets.timezone_history
        and ended.starts_at >= start_offsets.valid_from_at
        and ended.starts_at < start_offsets.valid_to_at
left join local_offsets as end_offsets
    on
        ended.timezone_history = end_offsets.timezone_history
        and ended.ended_at >= end_offsets.valid_from_at
        and ended.ended_at < end_offsets.valid_to_at
left join local_offsets as trial_offsets
    on
        ended.timezone_history = trial_offsets.timezone_history
        and ended.trial_ended_at >= trial_offsets.valid_from_at
        and ended.trial_ended_at < trial_offsets.valid_to_at
