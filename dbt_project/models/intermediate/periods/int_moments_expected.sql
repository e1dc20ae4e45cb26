{#
  Why and when each subscription row is billed, without what it is billed for: renewals, the start, the end of the
  trial or of a pause, the end of the row, and changed units of fixed charges paid in advance (docs/billing-rules.md, Time).
#}
with

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}
    where started_at <= as_of

),

period_calendars as (

    select * from {{ ref('int_period_calendars') }}

),

plan_versions as (

    select * from {{ ref('int_subscription_plan_versions') }}

),

fixed_charges as (

    select * from {{ ref('stg_book__fixed_charges') }}

),

unit_changes as (

    select * from {{ ref('stg_book__subscription_fixed_charge_units') }}

),

pauses as (

    select * from {{ ref('int_subscription_pauses') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

{#
  The intervals at whose ends a row is billed: monthly also for a longer plan that bills charges monthly; where only its
  fixed charges are, the period of its usage is another one.
#}
row_intervals as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        case
            when subscriptions.is_usage_billed_monthly or subscriptions.is_fixed_billed_monthly then 'monthly'
            else subscriptions.plan_interval
        end as billed_interval
    from subscriptions

    union

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.usage_interval as billed_interval
    from subscriptions

),

{# the end of a longer period is that of a month, too #}
row_periods as (

    select distinct
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        period_calendars.to_date,
        period_calendars.billing_date,
        period_calendars.ended_at as period_ended_at,
        period_calendars.billing_day_ended_at
    from subscriptions
    inner join row_intervals
        on
            subscriptions.organization_id = row_intervals.organization_id
            and subscriptions.external_subscription_id = row_intervals.external_subscription_id
            and subscriptions.created_at = row_intervals.created_at
    inner join period_calendars
        on
            subscriptions.timezone_history = period_calendars.timezone_history
            and row_intervals.billed_interval = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and subscriptions.started_date <= period_calendars.to_date
            and subscriptions.as_of >= period_calendars.started_at

),

{#
  A period is billed on the first local day after it, by the earliest run that may; a subscription entered later on that
  very day is billed when it is entered, and periods whose billing day had passed by then are never billed. An end date
  and a downgrade on that day close the period themselves.
#}
renewals as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        'renewal' as reason,
        greatest(row_periods.period_ended_at, subscriptions.created_at) as billing_at,
        row_periods.billing_date,
        row_periods.to_date as closed_date,
        row_periods.billing_date as opened_date
    from subscriptions
    inner join row_periods
        on
            subscriptions.organization_id = row_periods.organization_id
            and subscriptions.external_subscription_id = row_periods.external_subscription_id
            and subscriptions.created_at = row_periods.created_at
    where
        subscriptions.created_at < row_periods.billing_day_ended_at
        and (
            subscriptions.ended_at is null
            or subscriptions.ended_at > row_periods.period_ended_at
            or (
                subscriptions.ended_at = row_periods.period_ended_at
                and subscriptions.ended_by <> 'downgrade'
                and not subscriptions.is_ended_by_end_date
            )
        )

),

{# a downgrade, or an end date on a billing day, closes the period before it whole: the day itself is free #}
ends as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.ended_by as reason,
        subscriptions.ended_at as billing_at,
        subscriptions.ended_date as billing_date,
        coalesce(row_periods.to_date, subscriptions.ended_date) as closed_date,
        cast(null as date) as opened_date
    from subscriptions
    left join row_periods
        on
            (subscriptions.ended_by = 'downgrade' or subscriptions.is_ended_by_end_date)
            and subscriptions.organization_id = row_periods.organization_id
            and subscriptions.external_subscription_id = row_periods.external_subscription_id
            and subscriptions.created_at = row_periods.created_at
            and subscriptions.ended_at = row_periods.period_ended_at
    where subscriptions.ended_by in ('upgrade', 'downgrade', 'termination')

),

advance_fixed_charges as (

    {# one row per plan version, however many fixed charges are paid in advance #}
    select distinct
        fixed_charges.organization_id,
        fixed_charges.plan_code,
        fixed_charges.effective_at
    from fixed_charges
    where fixed_charges.is_pay_in_advance

),

{# only what is paid in advance is billed at the start, and nothing of a start in the past #}
starts as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        'start' as reason,
        greatest(subscriptions.started_at, subscriptions.created_at) as billing_at,
        subscriptions.started_date as billing_date,
        cast(null as date) as closed_date,
        subscriptions.started_date as opened_date
    from subscriptions
    left join plan_versions
        on
            subscriptions.organization_id = plan_versions.organization_id
            and subscriptions.external_subscription_id = plan_versions.external_subscription_id
            and subscriptions.created_at = plan_versions.created_at
            and subscriptions.started_at >= plan_versions.valid_from_at
            and subscriptions.started_at < plan_versions.valid_to_at
    left join advance_fixed_charges
        on
            plan_versions.organization_id = advance_fixed_charges.organization_id
            and plan_versions.plan_code = advance_fixed_charges.plan_code
            and plan_versions.plan_effective_at = advance_fixed_charges.effective_at
    where
        not subscriptions.is_started_in_the_past
        and (
            (
                subscriptions.is_pay_in_advance
                and coalesce(subscriptions.trial_ended_at <= subscriptions.started_at, true)
            )
            or advance_fixed_charges.plan_code is not null
        )

),

{# the first fee of a plan in advance, unless a renewal of the plan's period carries it on that local day #}
trial_ends as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        'trial_end' as reason,
        subscriptions.trial_ended_at as billing_at,
        cast(subscriptions.local_trial_ended_at as date) as billing_date,
        cast(null as date) as closed_date,
        cast(subscriptions.local_trial_ended_at as date) as opened_date
    from subscriptions
    left join period_calendars
        on
            subscriptions.timezone_history = period_calendars.timezone_history
            and subscriptions.plan_interval = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and cast(subscriptions.local_trial_ended_at as date) = period_calendars.from_date
            and cast(subscriptions.local_trial_ended_at as date) > subscriptions.started_date
    where
        subscriptions.is_pay_in_advance
        and subscriptions.trial_ended_at > subscriptions.started_at
        and subscriptions.trial_ended_at >= subscriptions.created_at
        and subscriptions.trial_ended_at <= subscriptions.as_of
        and coalesce(subscriptions.ended_at > subscriptions.trial_ended_at, true)
        and period_calendars.from_date is null

),

{# the fee of a period in advance that a pause put off when the period began: from the day of the resumption on #}
resumes as (

    {# pauses that end at one instant resume once #}
    select distinct
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        'resume' as reason,
        pauses.paused_to_at as billing_at,
        {{ add_days('pauses.last_paused_date', 1) }} as billing_date,
        cast(null as date) as closed_date,
        {{ add_days('pauses.last_paused_date', 1) }} as opened_date
    from subscriptions
    inner join pauses
        on
            subscriptions.organization_id = pauses.organization_id
            and subscriptions.external_subscription_id = pauses.external_subscription_id
            and subscriptions.created_at = pauses.created_at
    inner join period_calendars
        on
            subscriptions.timezone_history = period_calendars.timezone_history
            and subscriptions.plan_interval = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and pauses.paused_to_at > period_calendars.started_at
            and pauses.paused_to_at < period_calendars.ended_at
    where
        subscriptions.is_pay_in_advance
        and pauses.paused_to_at > greatest(subscriptions.started_at, subscriptions.created_at)
        and coalesce(subscriptions.ended_at > pauses.paused_to_at, true)
        and coalesce(subscriptions.trial_ended_at <= pauses.paused_to_at, true)
        {# when the fee would have been billed the subscription rested #}
        and greatest(
            period_calendars.started_at, subscriptions.started_at,
            coalesce(subscriptions.trial_ended_at, subscriptions.started_at)
        ) >= pauses.paused_from_at
        {# the period in which a start in the past was entered is not billed #}
        and (not subscriptions.is_started_in_the_past or period_calendars.from_date >= subscriptions.created_date)

),

{#
  Units of a fixed charge paid in advance that change inside a period which was billed: an extra invoice at once. A
  change at the first instant of a period is in that period's own bill.
#}
fixed_charge_units as (

    {# changes of one instant share an invoice #}
    select distinct
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        'fixed_charge_units' as reason,
        unit_changes.effective_at as billing_at,
        {{ to_local_date('unit_changes.effective_at', 'local_offsets.utc_offset_seconds') }} as billing_date,
        cast(null as date) as closed_date,
        {{ to_local_date('unit_changes.effective_at', 'local_offsets.utc_offset_seconds') }} as opened_date
    from subscriptions
    inner join unit_changes
        on
            subscriptions.organization_id = unit_changes.organization_id
            and subscriptions.external_subscription_id = unit_changes.external_subscription_id
            and subscriptions.created_at = unit_changes.created_at
            and subscriptions.started_at < unit_changes.effective_at
            and subscriptions.created_at < unit_changes.effective_at
            and subscriptions.as_of >= unit_changes.effective_at
            and (subscriptions.ended_at is null or subscriptions.ended_at > unit_changes.effective_at)
    inner join local_offsets
        on
            subscriptions.timezone_history = local_offsets.timezone_history
            and unit_changes.effective_at >= local_offsets.valid_from_at
            and unit_changes.effective_at < local_offsets.valid_to_at
    inner join period_calendars
        on
            subscriptions.timezone_history = period_calendars.timezone_history
            and case when subscriptions.is_fixed_billed_monthly then 'monthly' else subscriptions.plan_interval end
            = period_calendars.plan_interval
            and subscriptions.anchor_month = period_calendars.anchor_month
            and subscriptions.anchor_day = period_calendars.anchor_day
            and subscriptions.anchor_weekday = period_calendars.anchor_weekday
            and unit_changes.effective_at > period_calendars.started_at
            and unit_changes.effective_at < period_calendars.ended_at
    inner join plan_versions
        on
            subscriptions.organization_id = plan_versions.organization_id
            and subscriptions.external_subscription_id = plan_versions.external_subscription_id
            and subscriptions.created_at = plan_versions.created_at
            and greatest(period_calendars.started_at, subscriptions.started_at) >= plan_versions.valid_from_at
            and greatest(period_calendars.started_at, subscriptions.started_at) < plan_versions.valid_to_at
    inner join fixed_charges
        on
            plan_versions.organization_id = fixed_charges.organization_id
            and plan_versions.plan_code = fixed_charges.plan_code
            and plan_versions.plan_effective_at = fixed_charges.effective_at
            and unit_changes.fixed_charge_code = fixed_charges.fixed_charge_code
            and fixed_charges.is_pay_in_advance
    where not subscriptions.is_started_in_the_past or period_calendars.from_date >= subscriptions.created_date

),

expected as (

    {% for source in ['renewals', 'starts', 'trial_ends', 'resumes', 'ends', 'fixed_charge_units'] -%}
        select
            {{ source }}.organization_id,
            {{ source }}.external_subscription_id,
            {{ source }}.created_at,
            {{ source }}.reason,
            {{ source }}.billing_at,
            {{ source }}.billing_date,
            {{ source }}.closed_date,
            {{ source }}.opened_date
        from {{ source }}
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

{# moments in a pause, however many pauses lie over them #}
paused as (

    select distinct
        expected.organization_id,
        expected.external_subscription_id,
        expected.created_at,
        expected.billing_at
    from expected
    inner join pauses
        on
            expected.organization_id = pauses.organization_id
            and expected.external_subscription_id = pauses.external_subscription_id
            and expected.created_at = pauses.created_at
            and expected.billing_at >= pauses.paused_from_at
            and expected.billing_at < pauses.paused_to_at

)

{# a row starts and ends once, whatever a later book says of the instant; renewals and changed units are told apart #}
select
    {{ surrogate_key([
        'expected.organization_id', 'expected.external_subscription_id', 'expected.created_at', 'expected.reason',
        "case expected.reason when 'renewal' then cast(expected.billing_date as varchar)"
        ~ " when 'fixed_charge_units' then cast(expected.billing_at as varchar)"
        ~ " when 'resume' then cast(expected.billing_at as varchar) end",
    ]) }} as moment_id,
    expected.organization_id,
    expected.external_subscription_id,
    expected.created_at,
    expected.reason,
    expected.billing_at,
    expected.billing_date,
    expected.closed_date,
    expected.opened_date,
    paused.billing_at is not null as is_paused
from expected
left join paused
    on
        expected.organization_id = paused.organization_id
        and expected.external_subscription_id = paused.external_subscription_id
        and expected.created_at = paused.created_at
        and expected.billing_at = paused.billing_at
