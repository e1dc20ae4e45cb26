{%- set kept_columns = [
    'organization_id', 'external_customer_id', 'external_subscription_id', 'subscription_created_at', 'plan_code',
    'plan_effective_at', 'base_plan_code', 'fee_plan_code', 'fee_plan_effective_at', 'subscription_name',
    'purchase_order_number', 'timezone', 'reason', 'invoice_group', 'billing_date', 'billing_at', 'finalizes_at',
    'closed_date', 'opened_date', 'row_started_at', 'has_previous_row', 'ended_by', 'next_plan_code',
    'next_plan_effective_at', 'has_plan_fee', 'from_date', 'to_date', 'full_from_date', 'full_started_at',
    'full_days_count', 'days_count', 'commitment_plan_code', 'commitment_plan_effective_at', 'commitment_from_date', 'commitment_to_date',
    'commitment_days_count', 'commitment_full_days_count', 'usage_from_at', 'usage_to_at', 'usage_from_date', 'usage_to_date',
    'usage_full_days_count', 'usage_days_count',
] -%}
{%- set rank_of_reason = "case {}.reason when 'renewal' then 3 when 'termination' then 7 else 4 end" -%}
with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

expected as (

    select * from {{ ref('int_moments_expected') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}
    where
        reason in (
            'renewal', 'start', 'trial_end', 'resume', 'upgrade', 'downgrade', 'termination', 'fixed_charge_units'
        )

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

period_calendars as (

    select * from {{ ref('int_periods_by_year') }}

),

plan_versions as (

    select * from {{ ref('int_subscription_plan_versions') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

pauses as (

    select * from {{ ref('int_subscription_pauses') }}

),

{# up to when each subscription has been billed #}
billed_up_to as (

    select
        finalized_moments.organization_id,
        finalized_moments.external_subscription_id,
        max(finalized_moments.billing_at) as last_billing_at
    from finalized_moments
    group by finalized_moments.organization_id, finalized_moments.external_subscription_id

),

{#
  What is not in the ledger yet. What a later book says of a time that has been billed makes no new moment there: what
  was finalised stays as it is, and the change counts from the next moment on.
#}
open_moments as (

    select
        expected.*,
        subscriptions.external_customer_id,
        subscriptions.plan_code as row_plan_code,
        subscriptions.base_plan_code,
        subscriptions.plan_interval,
        subscriptions.usage_interval,
        subscriptions.is_pay_in_advance,
        subscriptions.subscription_name,
        subscriptions.purchase_order_number,
        subscriptions.timezone_history,
        subscriptions.invoice_grace_period,
        subscriptions.is_started_in_the_past,
        subscriptions.is_started_at_an_end,
        subscriptions.created_date,
        subscriptions.started_at,
        subscriptions.started_date,
        subscriptions.local_started_at,
        subscriptions.usage_started_at,
        subscriptions.has_previous_row,
        subscriptions.trial_ended_at,
        subscriptions.local_trial_ended_at,
        cast(subscriptions.local_trial_ended_at as date) as trial_ended_date,
        case when expected.reason in ('upgrade', 'downgrade') then subscriptions.next_created_at end as next_created_at,
        subscriptions.local_ended_at,
        subscriptions.is_ended_by_end_date,
        coalesce(expected.reason = 'termination' and subscriptions.on_termination_invoice = 'skip', false)
            as is_skipped,
        subscriptions.anchor_month,
        subscriptions.anchor_day,
        subscriptions.anchor_weekday,
        subscriptions.close_id,
        subscriptions.as_of,
        subscriptions.known_batch_id,
        case when expected.reason in ('upgrade', 'downgrade', 'termination') then expected.reason end as ended_by
    from expected
    inner join subscriptions
        on
            expected.organization_id = subscriptions.organization_id
            and expected.external_subscription_id = subscriptions.external_subscription_id
            and expected.created_at = subscriptions.created_at
    left join billed_up_to
        on
            expected.organization_id = billed_up_to.organization_id
            and expected.external_subscription_id = billed_up_to.external_subscription_id
    where coalesce(expected.billing_at > billed_up_to.last_billing_at, true)

),

placed as (

    select
        open_moments.*,
        local_offsets.timezone,
        closed_periods.from_date as closed_from_date,
        closed_periods.to_date as closed_to_date,
        closed_periods.started_at as closed_started_at,
        closed_periods.days_count as closed_days_count,
        opened_periods.from_date as opened_from_date,
        opened_periods.to_date as opened_to_date,
        opened_periods.started_at as opened_started_at,
        opened_periods.days_count as opened_days_count,
        usage_periods.from_date as full_usage_from_date,
        usage_periods.to_date as full_usage_to_date,
        usage_periods.started_at as full_usage_started_at,
        usage_periods.ended_at as full_usage_ended_at,
        usage_periods.days_count as full_usage_days_count,
        open_moments.ended_by is not null or closed_periods.to_date = open_moments.closed_date as is_plan_period_closed,
        open_moments.reason in ('start', 'trial_end', 'resume') or opened_periods.from_date = open_moments.opened_date
            as is_plan_period_opened,
        coalesce(open_moments.ended_by is not null or usage_periods.to_date = open_moments.closed_date, false)
            as has_usage,
        {# still in trial, unless it ends later on this very day #}
        coalesce(
            open_moments.trial_ended_at > open_moments.billing_at
            and (
                open_moments.trial_ended_date <> open_moments.billing_date
                or open_moments.reason not in ('renewal', 'downgrade')
            ),
            false
        ) as is_in_trial
    from open_moments
    inner join local_offsets
        on
            open_moments.timezone_history = local_offsets.timezone_history
            and open_moments.billing_at >= local_offsets.valid_from_at
            and open_moments.billing_at < local_offsets.valid_to_at
    {% for periods, interval, day in [
        ('closed_periods', 'plan_interval', 'closed_date'),
        ('opened_periods', 'plan_interval', 'opened_date'),
        ('usage_periods', 'usage_interval', 'closed_date'),
    ] -%}
        left join period_calendars as {{ periods }}
            on {{ is_period_of_day(periods, 'open_moments', 'open_moments.' ~ interval, 'open_moments.' ~ day) }}
    {% endfor %}

),

{# docs/billing-rules.md, Time: what the moment looks at, cut by the start and the end of the row #}
cut as (

    select
        placed.*,
        {# in arrears for the period closed, in advance for the period opened; none in a trial, or without an invoice #}
        case
            when placed.is_in_trial or placed.is_skipped then false
            when placed.ended_by is not null and placed.is_pay_in_advance then false
            when placed.reason = 'fixed_charge_units' then false
            {# what is paid in advance waits for the end of a pause #}
            when placed.is_pay_in_advance and placed.is_paused then false
            when placed.is_pay_in_advance then coalesce(placed.is_plan_period_opened, false)
            else coalesce(placed.is_plan_period_closed, false)
        end as has_plan_fee,
        greatest(placed.closed_from_date, placed.started_date) as closed_cut_from_date,
        least(placed.closed_to_date, placed.closed_date) as closed_cut_to_date,
        case
            when placed.has_usage then greatest(placed.full_usage_started_at, placed.usage_started_at)
            else placed.billing_at
        end as usage_from_at,
        case
            when not placed.has_usage then placed.billing_at
            {# the instant of a termination belongs to the row that ends; that of an upgrade to the new row #}
            when placed.closed_date = placed.full_usage_to_date and placed.closed_date < placed.billing_date
                then placed.full_usage_ended_at
            when placed.reason = 'termination' and not placed.is_ended_by_end_date
                then placed.billing_at + interval '1 microsecond'
            when placed.ended_by is not null then placed.billing_at
            else placed.full_usage_ended_at
        end as usage_to_at
    from placed

),

{# the days of the fee: those of the period cut, from the day in which a trial ends, less the day of an upgrade #}
counted as (

    select
        cut.*,
        case
            when not cut.has_plan_fee then null
            when not cut.is_pay_in_advance
                then least(
                    greatest(cut.closed_cut_from_date, coalesce(cut.trial_ended_date, cut.closed_cut_from_date)),
                    cut.closed_cut_to_date
                )
            when cut.reason = 'renewal' then cut.opened_from_date
            else cut.opened_date
        end as fee_from_date,
        case
            when not cut.has_plan_fee then null
            when cut.is_pay_in_advance then cut.opened_to_date
            else cut.closed_cut_to_date
        end as fee_to_date,
        case
            when cut.has_plan_fee and cut.is_pay_in_advance then cut.opened_from_date
            when cut.has_plan_fee then cut.closed_from_date
        end as fee_full_from_date,
        case
            when cut.has_plan_fee and cut.is_pay_in_advance then cut.opened_days_count
            when cut.has_plan_fee then cut.closed_days_count
        end as fee_full_days_count,
        case
            when not cut.has_plan_fee then 0
            when cut.is_pay_in_advance and cut.reason = 'renewal'
                then {{ days_between('cut.opened_from_date', 'cut.opened_to_date') }} + 1
            when cut.is_pay_in_advance then {{ days_between('cut.opened_date', 'cut.opened_to_date') }} + 1
            {# a trial that ends with or after the period leaves nothing of it #}
            when cut.trial_ended_date > cut.closed_cut_to_date then 0
            when cut.trial_ended_at > cut.started_at and cut.trial_ended_date >= cut.closed_cut_from_date
                then
                    case
                        when cut.ended_by is not null and cut.closed_date = cut.billing_date
                            then greatest(
                                {{ elapsed_days('cut.local_trial_ended_at', 'cut.local_ended_at') }}
                                - case when cut.ended_by = 'upgrade' then 1 else 0 end, 0
                            )
                        else {{ days_between('cut.trial_ended_date', 'cut.closed_cut_to_date') }} + 1
                    end
            else greatest(
                {{ days_between('cut.closed_cut_from_date', 'cut.closed_cut_to_date') }} + 1
                - case when cut.ended_by = 'upgrade' then 1 else 0 end, 0
            )
        end as unpaused_days_count,
        {#
          The period whose minimum commitment is settled: with a plan in arrears the one that its fee is for, in advance
          the one before, if it was billed. A trial does not shorten it; without an invoice there is none.
        #}
        coalesce(cut.is_plan_period_closed, false)
        and not cut.is_skipped
        and (
            not cut.is_pay_in_advance
            or not cut.is_started_in_the_past
            or cut.closed_from_date >= cut.created_date
        ) as is_commitment_settled,
        case
            when cut.has_usage
                then case
                    when cut.usage_from_at = cut.full_usage_started_at then cut.full_usage_from_date
                    else cut.started_date
                end
            else cut.billing_date
        end as usage_from_date,
        case when cut.has_usage then least(cut.full_usage_to_date, cut.closed_date) else cut.billing_date end
            as usage_to_date
    from cut

),

{# whole days of pauses among the days of the fee in arrears, and of the commitment #}
paused as (

    select
        counted.moment_id,
        sum(
            case
                when counted.has_plan_fee and not counted.is_pay_in_advance
                    then greatest(
                        {{ days_between(
                            'greatest(pauses.first_paused_date, counted.fee_from_date)',
                            'least(pauses.last_paused_date, counted.fee_to_date)'
                        ) }} + 1, 0
                    )
                else 0
            end
        ) as fee_days_count,
        sum(
            greatest(
                {{ days_between(
                    'greatest(pauses.first_paused_date, counted.closed_cut_from_date)',
                    'least(pauses.last_paused_date, counted.closed_cut_to_date)'
                ) }} + 1, 0
            )
        ) as commitment_days_count
    from counted
    inner join pauses
        on
            counted.organization_id = pauses.organization_id
            and counted.external_subscription_id = pauses.external_subscription_id
            and counted.created_at = pauses.created_at
            and counted.billing_at >= pauses.paused_from_at
    group by counted.moment_id

),

measured as (

    select
        counted.*,
        cast(greatest(counted.unpaused_days_count - coalesce(paused.fee_days_count, 0), 0) as integer) as days_count,
        counted.created_at as subscription_created_at,
        counted.started_at as row_started_at,
        {# what begins anew at an end is billed apart from it, after it; what is ended at its very start before that #}
        case
            when counted.reason <> 'start' then null
            when counted.is_started_at_an_end then 'anew'
            when counted.local_started_at = counted.local_ended_at then 'first'
        end as start_place,
        {# with a grace period a draft until the first UTC midnight at which its days have passed #}
        case
            when counted.invoice_grace_period > 0 and not counted.is_skipped
                then greatest(
                    counted.billing_at,
                    cast({{ add_days('counted.billing_date', 'counted.invoice_grace_period') }} as timestamp)
                )
            else counted.billing_at
        end as finalizes_at,
        {# a moment without a plan fee shows the days of its usage #}
        coalesce(counted.fee_from_date, counted.usage_from_date) as from_date,
        coalesce(counted.fee_to_date, counted.usage_to_date) as to_date,
        coalesce(
            counted.fee_full_from_date, case when counted.has_usage then counted.full_usage_from_date end,
            counted.billing_date
        ) as full_from_date,
        coalesce(
            counted.fee_full_days_count, case when counted.has_usage then counted.full_usage_days_count end, 1
        ) as full_days_count,
        {# when the versions that price the usage had to be in force #}
        case
            when counted.has_usage then greatest(counted.full_usage_started_at, counted.started_at)
            else counted.billing_at
        end as full_started_at,
        case
            when counted.has_plan_fee and counted.is_pay_in_advance
                then greatest(counted.opened_started_at, counted.started_at)
            else greatest(coalesce(counted.closed_started_at, counted.billing_at), counted.started_at)
        end as fee_priced_at,
        case when counted.is_commitment_settled then greatest(counted.closed_started_at, counted.started_at) end
            as committed_at,
        case when counted.is_commitment_settled then counted.closed_cut_from_date end as commitment_from_date,
        case
            when counted.is_commitment_settled
                then case
                    when counted.is_pay_in_advance then counted.closed_to_date
                    else counted.closed_cut_to_date
                end
        end as commitment_to_date,
        case
            when counted.is_commitment_settled
                then cast(
                    greatest(
                        {{ days_between('counted.closed_cut_from_date', 'counted.closed_cut_to_date') }} + 1
                        - coalesce(paused.commitment_days_count, 0), 0
                    ) as integer
                )
        end as commitment_days_count,
        case when counted.is_commitment_settled then counted.closed_days_count end as commitment_full_days_count,
        case when counted.has_usage then counted.full_usage_days_count else 1 end as usage_full_days_count,
        case when counted.has_usage then counted.full_usage_to_date else counted.billing_date end
            as usage_full_to_date,
        case when counted.has_usage then counted.full_usage_ended_at else counted.billing_at end as usage_full_to_at,
        case
            when not counted.has_usage then 0
            {# whole local days, unless the row starts and ends inside of the period #}
            when
                counted.ended_by is null
                or counted.closed_date < counted.billing_date
                or counted.usage_from_at = counted.full_usage_started_at
                then greatest(
                    {{ days_between('counted.usage_from_date', 'counted.usage_to_date') }} + 1
                    - case when counted.ended_by = 'upgrade' then 1 else 0 end, 0
                )
            else greatest(
                {{ elapsed_days('counted.local_started_at', 'counted.local_ended_at') }}
                - case when counted.ended_by = 'upgrade' then 1 else 0 end, 0
            )
        end as usage_days_count
    from counted
    left join paused
        on counted.moment_id = paused.moment_id

),

{# a new version never reprices a period under way #}
versioned as (

    select
        measured.*,
        case
            when measured.reason = 'renewal' then 'renewal'
            else measured.external_subscription_id || coalesce(' ' || measured.start_place, '')
        end as invoice_group,
        usage_versions.plan_effective_at,
        {# a phase and a rate card have a plan code of their own #}
        coalesce(usage_versions.plan_code, measured.row_plan_code) as plan_code,
        coalesce(fee_versions.plan_code, measured.row_plan_code) as fee_plan_code,
        commitment_versions.plan_code as commitment_plan_code,
        next_versions.plan_code as next_plan_code,
        fee_versions.plan_effective_at as fee_plan_effective_at,
        commitment_versions.plan_effective_at as commitment_plan_effective_at,
        next_versions.plan_effective_at as next_plan_effective_at
    from measured
    {% for versions, created_at, instant in [
        ('usage_versions', 'created_at', 'full_started_at'),
        ('fee_versions', 'created_at', 'fee_priced_at'),
        ('commitment_versions', 'created_at', 'committed_at'),
        ('next_versions', 'next_created_at', 'billing_at'),
    ] -%}
        left join plan_versions as {{ versions }}
            on
                measured.organization_id = {{ versions }}.organization_id
                and measured.external_subscription_id = {{ versions }}.external_subscription_id
                and measured.{{ created_at }} = {{ versions }}.created_at
                and measured.{{ instant }} >= {{ versions }}.valid_from_at
                and measured.{{ instant }} < {{ versions }}.valid_to_at
    {% endfor %}

)

select
    finalized_moments.moment_id,
    {% for column in kept_columns -%}
        finalized_moments.{{ column }},
    {% endfor -%}
    coalesce(
        finalized_moments.usage_full_to_date,
        {# of closes that did not record it #}
        case
            when finalized_moments.ended_by is null then finalized_moments.usage_to_date
            else {{ add_days('finalized_moments.usage_from_date', 'finalized_moments.usage_full_days_count - 1') }}
        end
    ) as usage_full_to_date,
    finalized_moments.usage_to_at as usage_full_to_at,
    {# of a start and of an end date it matters only while the place among those of the instant is open #}
    {{ rank_of_reason.format('finalized_moments') }} as instant_rank,
    'finalized' as moment_state,
    finalized_moments.invoice_id is not null as is_invoiced,
    finalized_moments.known_batch_id,
    close_scope.as_of,
    finalized_moments.close_id
from finalized_moments
inner join close_scope
    on finalized_moments.organization_id = close_scope.organization_id

union all

select
    versioned.moment_id,
    {% for column in kept_columns -%}
        versioned.{{ column }},
    {% endfor -%}
    versioned.usage_full_to_date,
    versioned.usage_full_to_at,
    {# the order at one instant (docs/book.md, "Within a day"): an end date comes first, a termination late #}
    case
        when versioned.reason = 'termination' and versioned.is_ended_by_end_date then 1
        when versioned.start_place = 'first' then 3
        when versioned.start_place = 'anew' then 8
        else {{ rank_of_reason.format('versioned') }}
    end as instant_rank,
    {# of a period that ends without a closing invoice is billed what came while it ran #}
    case
        when versioned.is_skipped then 'skipped'
        when versioned.finalizes_at <= versioned.as_of then 'due'
        when versioned.billing_at <= versioned.as_of then 'draft'
        else 'running'
    end as moment_state,
    not versioned.is_skipped as is_invoiced,
    versioned.known_batch_id,
    versioned.as_of,
    versioned.close_id
from versioned
