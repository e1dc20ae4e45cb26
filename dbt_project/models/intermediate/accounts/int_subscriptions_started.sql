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

timezone_offsets as (

    select * from {{ ref('stg_time__timezone_offsets') }}

),

local_days as (

    select * from {{ ref('stg_time__local_days') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

{# what was asked for after as_of is not known to billing yet #}
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
        subscriptions.subscription_name,
        subscriptions.purchase_order_number,
        customers.timezone,
        customers.invoice_grace_period,
        {{ to_local_date('subscriptions.created_at', 'created_offsets.utc_offset_seconds') }} as created_date,
        {{ to_local_date('subscriptions.subscription_at', 'start_offsets.utc_offset_seconds') }} as anchor_date
    from subscriptions
    inner join close_scope
        on
            subscriptions.organization_id = close_scope.organization_id
            and subscriptions.created_at <= close_scope.as_of
    inner join customers
        on
            subscriptions.organization_id = customers.organization_id
            and subscriptions.external_customer_id = customers.external_customer_id
    inner join timezone_offsets as created_offsets
        on
            customers.timezone = created_offsets.timezone
            and subscriptions.created_at >= created_offsets.valid_from_at
            and subscriptions.created_at < created_offsets.valid_to_at
    inner join timezone_offsets as start_offsets
        on
            customers.timezone = start_offsets.timezone
            and subscriptions.subscription_at >= start_offsets.valid_from_at
            and subscriptions.subscription_at < start_offsets.valid_to_at

),

{# a start on a later date than it was asked for happens at the first instant of its local day #}
started as (

    select
        asked.organization_id,
        asked.external_subscription_id,
        asked.created_at,
        asked.external_customer_id,
        asked.plan_code,
        asked.base_plan_code,
        plan_versions.plan_interval,
        asked.billing_time,
        asked.subscription_name,
        asked.purchase_order_number,
        asked.timezone,
        asked.invoice_grace_period,
        asked.anchor_date as started_date,
        case
            when asked.anchor_date > asked.created_date then local_days.started_at
            else asked.subscription_at
        end as started_at,
        case when asked.billing_time = 'anniversary' then extract(month from asked.anchor_date) else 1 end
            as anchor_month,
        case when asked.billing_time = 'anniversary' then extract(day from asked.anchor_date) else 1 end as anchor_day,
        case when asked.billing_time = 'anniversary' then extract(isodow from asked.anchor_date) else 1 end
            as anchor_weekday
    from asked
    inner join local_days
        on
            asked.timezone = local_days.timezone
            and asked.anchor_date = local_days.local_date
    inner join plan_versions
        on
            asked.organization_id = plan_versions.organization_id
            and asked.plan_code = plan_versions.plan_code
            and asked.subscription_at >= plan_versions.valid_from_at
            and asked.subscription_at < plan_versions.valid_to_at

)

select
    started.organization_id,
    started.external_subscription_id,
    started.created_at,
    started.external_customer_id,
    started.plan_code,
    started.base_plan_code,
    started.plan_interval,
    started.billing_time,
    started.subscription_name,
    started.purchase_order_number,
    started.timezone,
    started.invoice_grace_period,
    started.started_date,
    started.started_at,
    cast(started.anchor_month as integer) as anchor_month,
    cast(started.anchor_day as integer) as anchor_day,
    cast(started.anchor_weekday as integer) as anchor_weekday
from started
