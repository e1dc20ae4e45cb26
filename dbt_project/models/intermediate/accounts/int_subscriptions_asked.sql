with

subscriptions as (

    select * from {{ ref('stg_book__subscriptions') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

local_offsets as (

    select * from {{ ref('int_local_offsets') }}

),

local_days as (

    select * from {{ ref('int_local_days') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{# what was asked for or happened after as_of is not known to billing yet #}
asked as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.external_customer_id,
        subscriptions.plan_code,
        coalesce(subscriptions.base_plan_code, subscriptions.plan_code) as base_plan_code,
        subscriptions.billing_time,
        subscriptions.subscription_at,
        case
            when subscriptions.terminated_at <= close_scope.as_of
                then greatest(subscriptions.terminated_at, subscriptions.created_at)
        end as terminated_at,
        subscriptions.subscription_name,
        subscriptions.purchase_order_number,
        subscriptions.on_termination_credit_note,
        subscriptions.on_termination_invoice,
        customers.timezone_history,
        customers.invoice_grace_period,
        close_scope.close_id,
        close_scope.as_of,
        close_scope.known_batch_id,
        {{ to_local_date('subscriptions.created_at', 'created_offsets.utc_offset_seconds') }} as created_date,
        {{ to_local_date('subscriptions.subscription_at', 'start_offsets.utc_offset_seconds') }} as subscription_date,
        {{ to_local_date('subscriptions.ending_at', 'ending_offsets.utc_offset_seconds') }} as ending_date
    from subscriptions
    inner join close_scope
        on
            subscriptions.organization_id = close_scope.organization_id
            and subscriptions.created_at <= close_scope.as_of
    inner join customers
        on
            subscriptions.organization_id = customers.organization_id
            and subscriptions.external_customer_id = customers.external_customer_id
    inner join local_offsets as created_offsets
        on
            customers.timezone_history = created_offsets.timezone_history
            and subscriptions.created_at >= created_offsets.valid_from_at
            and subscriptions.created_at < created_offsets.valid_to_at
    inner join local_offsets as start_offsets
        on
            customers.timezone_history = start_offsets.timezone_history
            and subscriptions.subscription_at >= start_offsets.valid_from_at
            and subscriptions.subscription_at < start_offsets.valid_to_at
    left join local_offsets as ending_offsets
        on
            customers.timezone_history = ending_offsets.timezone_history
            and subscriptions.ending_at >= ending_offsets.valid_from_at
            and subscriptions.ending_at < ending_offsets.valid_to_at

)

select
    asked.organization_id,
    asked.external_subscription_id,
    asked.created_at,
    cast(
        row_number() over (
            partition by asked.organization_id, asked.external_subscription_id
            order by asked.created_at
        ) as integer
    ) as row_number_in_lineage,
    asked.external_customer_id,
    asked.plan_code,
    asked.base_plan_code,
    plan_versions.plan_interval,
    plan_versions.is_pay_in_advance,
    plan_versions.is_usage_billed_monthly,
    plan_versions.is_fixed_billed_monthly,
    plan_versions.trial_period_days,
    {# what upgrades and downgrades compare: the price of a year #}
    cast(
        plan_versions.amount_cents
        * case plan_versions.plan_interval
            when 'weekly' then 52
            when 'monthly' then 12
            when 'quarterly' then 4
            when 'semiannual' then 2
            when 'yearly' then 1
        end as {{ wide_integer() }}
    ) as yearly_amount_cents,
    asked.billing_time,
    asked.subscription_at,
    asked.subscription_date,
    asked.created_date,
    {# a start on a later date than it was asked for happens at the first instant of its local day #}
    case
        when asked.subscription_date > asked.created_date then start_days.started_at
        else asked.subscription_at
    end as starts_at,
    asked.terminated_at,
    {# an end date ends at its first instant, whatever its time of day #}
    case when asked.ending_date > asked.subscription_date then ending_days.started_at end as ending_starts_at,
    cast(
        case when asked.billing_time = 'anniversary' then extract(month from asked.subscription_date) else 1 end
        as integer
    ) as anchor_month,
    cast(
        case when asked.billing_time = 'anniversary' then extract(day from asked.subscription_date) else 1 end
        as integer
    ) as anchor_day,
    cast(
        case when asked.billing_time = 'anniversary' then extract(isodow from asked.subscription_date) else 1 end
        as integer
    ) as anchor_weekday,
    asked.subscription_name,
    asked.purchase_order_number,
    asked.on_termination_credit_note,
    asked.on_termination_invoice,
    asked.timezone_history,
    asked.invoice_grace_period,
    asked.close_id,
    asked.as_of,
    asked.known_batch_id
from asked
inner join local_days as start_days
    on
        asked.timezone_history = start_days.timezone_history
        and asked.subscription_date = start_days.local_date
left join local_days as ending_days
    on
        asked.timezone_history = ending_days.timezone_history
        and asked.ending_date = ending_days.local_date
{# the version that was in force when the row was asked for, else the plan's first one, says how it is billed #}
left join plan_versions
    on
        asked.organization_id = plan_versions.organization_id
        and asked.plan_code = plan_versions.plan_code
        and asked.created_at < plan_versions.valid_to_at
        and (asked.created_at >= plan_versions.valid_from_at or plan_versions.version_number = 1)
