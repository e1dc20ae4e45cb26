{{ config(pre_hook='{{ prefer_hash_joins() }}') }}

{#
  Which fixed charges a billing moment bills, for which days and how many units: those in arrears with the period that
  the moment closes, those in advance with the period that it opens (docs/billing-rules.md, Life cycle).
#}
with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

billing_moments as (

    {% for source in ['int_billing_moments', 'int_restated_moments'] -%}
        select
            {% for column in [
                'moment_id', 'moment_state', 'organization_id', 'external_subscription_id', 'subscription_created_at',
                'reason', 'billing_date', 'billing_at', 'closed_date', 'opened_date', 'row_started_at', 'ended_by',
                'usage_to_at',
            ] -%}
                sources.{{ column }},
            {% endfor -%}
            {{ 'cast(null as bigint)' if loop.first else 'sources.usage_known_batch_id' }} as usage_known_batch_id
        from {{ ref(source) }} as sources
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

{#
  What the row before an upgrade paid in advance is taken off the new row's price, so it is needed once more. The start
  may stand here twice: as it is billed, and as a draft was when a note was asked for.
#}
upgraded_rows as (

    select distinct
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.previous_created_at
    from billing_moments
    inner join subscriptions
        on
            billing_moments.organization_id = subscriptions.organization_id
            and billing_moments.external_subscription_id = subscriptions.external_subscription_id
            and billing_moments.subscription_created_at = subscriptions.created_at
    where
        billing_moments.moment_state <> 'finalized'
        and billing_moments.reason = 'start'
        and subscriptions.started_by = 'upgrade'

),

moments as (

    select
        billing_moments.*,
        billing_moments.moment_state <> 'finalized' as is_open,
        subscriptions.timezone_history,
        case when subscriptions.is_fixed_billed_monthly then 'monthly' else subscriptions.plan_interval end
            as fixed_interval,
        subscriptions.anchor_month,
        subscriptions.anchor_day,
        subscriptions.anchor_weekday,
        subscriptions.started_date
    from billing_moments
    inner join subscriptions
        on
            billing_moments.organization_id = subscriptions.organization_id
            and billing_moments.external_subscription_id = subscriptions.external_subscription_id
            and billing_moments.subscription_created_at = subscriptions.created_at
    left join upgraded_rows
        on
            billing_moments.organization_id = upgraded_rows.organization_id
            and billing_moments.external_subscription_id = upgraded_rows.external_subscription_id
            and billing_moments.subscription_created_at = upgraded_rows.previous_created_at
    where billing_moments.moment_state <> 'finalized' or upgraded_rows.organization_id is not null

),

period_calendars as (

    select * from {{ ref('int_periods_by_year') }}

),

plan_versions as (

    select * from {{ ref('int_subscription_plan_versions') }}

),

fixed_charges as (

    select * from {{ ref('stg_book__fixed_charges') }}

),

unit_changes as (

    select * from {{ ref('int_fixed_charge_unit_versions') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

in_arrears as (

    select
        moments.*,
        false as is_in_advance,
        period_calendars.days_count as window_full_days_count,
        greatest(period_calendars.started_at, moments.row_started_at) as window_from_at,
        {# a row that is ended inside of its period bills up to that instant #}
        case
            when moments.ended_by is not null and moments.closed_date = moments.billing_date
                then least(period_calendars.ended_at, greatest(moments.billing_at, moments.usage_to_at))
            when moments.ended_by is not null then least(period_calendars.ended_at, moments.billing_at)
            else period_calendars.ended_at
        end as window_to_at,
        greatest(period_calendars.from_date, moments.started_date) as from_date_billed,
        least(period_calendars.to_date, moments.closed_date) as to_date_billed
    from moments
    inner join period_calendars
        on {{ is_period_of_day('period_calendars', 'moments', 'moments.fixed_interval', 'moments.closed_date') }}
    where moments.is_open and (moments.ended_by is not null or period_calendars.to_date = moments.closed_date)

),

in_advance as (

    select
        moments.*,
        true as is_in_advance,
        period_calendars.days_count as window_full_days_count,
        greatest(period_calendars.started_at, moments.row_started_at) as window_from_at,
        period_calendars.ended_at as window_to_at,
        moments.opened_date as from_date_billed,
        period_calendars.to_date as to_date_billed
    from moments
    inner join period_calendars
        on {{ is_period_of_day('period_calendars', 'moments', 'moments.fixed_interval', 'moments.opened_date') }}
    where
        moments.reason in ('start', 'fixed_charge_units')
        or (moments.reason = 'renewal' and period_calendars.from_date = moments.opened_date)

),

windows as (

    select * from in_arrears
    union all
    select * from in_advance

),

charged as (

    select
        windows.moment_id,
        windows.is_open,
        windows.moment_state in ('restated', 'noted') as is_restated,
        windows.usage_known_batch_id,
        windows.reason,
        windows.organization_id,
        windows.external_subscription_id,
        windows.subscription_created_at,
        windows.timezone_history,
        windows.billing_at,
        windows.billing_date,
        windows.window_from_at,
        windows.window_to_at,
        windows.window_full_days_count,
        windows.from_date_billed as from_date,
        windows.to_date_billed as to_date,
        fixed_charges.plan_code,
        fixed_charges.effective_at as plan_effective_at,
        fixed_charges.fixed_charge_code,
        fixed_charges.position,
        fixed_charges.invoice_display_name,
        fixed_charges.add_on_code,
        fixed_charges.charge_model,
        coalesce(fixed_charges.is_pay_in_advance, false) as is_pay_in_advance,
        coalesce(fixed_charges.is_prorated, false) as is_prorated,
        fixed_charges.amount as unit_price,
        cast(fixed_charges.units as decimal(38, 12)) as plan_units
    from windows
    inner join plan_versions
        on
            windows.organization_id = plan_versions.organization_id
            and windows.external_subscription_id = plan_versions.external_subscription_id
            and windows.subscription_created_at = plan_versions.created_at
            and windows.window_from_at >= plan_versions.valid_from_at
            and windows.window_from_at < plan_versions.valid_to_at
    inner join fixed_charges
        on
            plan_versions.organization_id = fixed_charges.organization_id
            and plan_versions.plan_code = fixed_charges.plan_code
            and plan_versions.plan_effective_at = fixed_charges.effective_at
            and windows.is_in_advance = coalesce(fixed_charges.is_pay_in_advance, false)

),

{#
  The time line of units: the plan's, then each number that the subscription was given, as far as the window goes (of
  what is billed in advance: as far as the moment).
#}
changed as (

    select
        charged.moment_id,
        charged.fixed_charge_code,
        greatest(unit_changes.effective_at, charged.window_from_at) as from_at,
        cast(unit_changes.units as decimal(38, 12)) as units,
        unit_changes.effective_at
    from charged
    inner join unit_changes
        on
            charged.organization_id = unit_changes.organization_id
            and charged.external_subscription_id = unit_changes.external_subscription_id
            and charged.subscription_created_at = unit_changes.created_at
            and charged.fixed_charge_code = unit_changes.fixed_charge_code
            and charged.window_to_at > unit_changes.effective_at
            {# as it stands, or as it was known then #}
            and case
                when charged.usage_known_batch_id is null then unit_changes.until_batch_id is null
                else
                    charged.usage_known_batch_id >= unit_changes.since_batch_id
                    and coalesce(charged.usage_known_batch_id < unit_changes.until_batch_id, true)
            end
            and (
                not charged.is_pay_in_advance
                or unit_changes.effective_at <= greatest(charged.window_from_at, charged.billing_at)
            )

),

time_line as (

    select
        charged.moment_id,
        charged.fixed_charge_code,
        charged.window_from_at as from_at,
        charged.plan_units as units,
        {{ beginning_of_time() }} as effective_at
    from charged

    union all

    select
        changed.moment_id,
        changed.fixed_charge_code,
        changed.from_at,
        changed.units,
        changed.effective_at
    from changed

),

{# of what was set before the window only the last counts #}
standing as (

    select
        time_line.*,
        charged.billing_at,
        charged.window_from_at,
        charged.window_full_days_count,
        charged.from_date as window_from_date,
        charged.to_date,
        charged.timezone_history,
        row_number() over (
            partition by
                time_line.moment_id, time_line.fixed_charge_code, time_line.effective_at <= charged.window_from_at
            order by time_line.effective_at desc
        ) as standing_rank,
        row_number() over (
            partition by time_line.moment_id, time_line.fixed_charge_code
            order by time_line.effective_at desc
        ) as latest_rank
    from time_line
    inner join charged
        on
            time_line.moment_id = charged.moment_id
            and time_line.fixed_charge_code = charged.fixed_charge_code

),

stretches as (

    select
        standing.*,
        {# a stretch begins on the local day of its change, the first one with the window #}
        case
            when standing.effective_at <= standing.window_from_at then standing.window_from_date
            else {{ to_local_date('standing.from_at', 'local_offsets.utc_offset_seconds') }}
        end as from_date
    from standing
    inner join local_offsets
        on
            standing.timezone_history = local_offsets.timezone_history
            and standing.from_at >= local_offsets.valid_from_at
            and standing.from_at < local_offsets.valid_to_at
    where standing.effective_at > standing.window_from_at or standing.standing_rank = 1

),

held as (

    select
        stretches.*,
        {{ days_between(
            'stretches.from_date',
            'coalesce(lead(stretches.from_date) over (
                partition by stretches.moment_id, stretches.fixed_charge_code order by stretches.effective_at
            ), cast(' ~ add_days('stretches.to_date', 1) ~ ' as date))'
        ) }} as held_days_count
    from stretches

),

{# in arrears every stretch of units counts for its days, each rounded to 6 decimals #}
summed as (

    select
        held.moment_id,
        held.fixed_charge_code,
        max(case when held.latest_rank = 1 then held.units end) as last_units,
        {# what was billed in this period before a change at the very instant of the moment #}
        max(case when held.effective_at < held.billing_at then held.units end) as highest_units_before,
        max(case when held.effective_at = held.billing_at then held.units end) as units_changed,
        sum(
            {{ divide_half_away(
                scaled_quantity('held.units') ~ ' * held.held_days_count', 'held.window_full_days_count * 1000000'
            ) }}
        ) as prorated_millionths
    from held
    group by held.moment_id, held.fixed_charge_code

),

billed as (

    select
        charged.*,
        {# raised units are billed above what this period has paid for; lowered ones give nothing back #}
        case
            when charged.reason = 'fixed_charge_units'
                then greatest(summed.units_changed - summed.highest_units_before, 0)
            else summed.last_units
        end as units,
        {# from the day of the change on, both days by UTC, as that is how the change is dated #}
        case
            when charged.reason = 'fixed_charge_units'
                then least(
                    greatest({{ days_between('cast(charged.billing_at as date)', 'charged.to_date') }} + 1, 0),
                    charged.window_full_days_count
                )
            else {{ days_between('charged.from_date', 'charged.to_date') }} + 1
        end as days_count,
        summed.prorated_millionths
    from charged
    inner join summed
        on
            charged.moment_id = summed.moment_id
            and charged.fixed_charge_code = summed.fixed_charge_code
    where charged.reason <> 'fixed_charge_units' or summed.units_changed is not null

)

select
    billed.moment_id,
    billed.is_open,
    billed.is_restated,
    billed.reason,
    billed.organization_id,
    billed.external_subscription_id,
    billed.subscription_created_at,
    billed.billing_at,
    billed.billing_date,
    billed.plan_code,
    billed.plan_effective_at,
    billed.fixed_charge_code,
    billed.position,
    billed.invoice_display_name,
    billed.add_on_code,
    billed.charge_model,
    billed.is_pay_in_advance,
    billed.is_prorated,
    billed.unit_price,
    billed.from_date,
    billed.to_date,
    billed.units,
    {# the units that the price is applied to #}
    case
        when not billed.is_prorated then billed.units
        when billed.is_pay_in_advance
            then cast(
                cast({{ divide_half_away(
                    scaled_quantity('billed.units') ~ ' * billed.days_count',
                    'billed.window_full_days_count * 1000000'
                ) }} as decimal(38, 0)) * 0.000001 as decimal(38, 12)
            )
        else cast(cast(billed.prorated_millionths as decimal(38, 0)) * 0.000001 as decimal(38, 12))
    end as priced_units
from billed
