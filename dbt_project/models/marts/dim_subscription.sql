with

subscriptions as (

    select * from {{ ref('stg_book__subscriptions') }}

),

started as (

    select * from {{ ref('int_subscriptions_started') }}

),

closes as (

    select * from {{ ref('fct_close') }}
    where is_newest

),

{# a later row of the same id is a plan change or a new start: the earlier one is valid up to it #}
versions as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        subscriptions.created_at,
        subscriptions.external_customer_id,
        subscriptions.subscription_name,
        subscriptions.plan_code,
        coalesce(subscriptions.base_plan_code, subscriptions.plan_code) as base_plan_code,
        subscriptions.billing_time,
        subscriptions.purchase_order_number,
        subscriptions.subscription_at,
        subscriptions.ending_at,
        subscriptions.terminated_at,
        coalesce(
            lead(subscriptions.created_at) over (
                partition by subscriptions.organization_id, subscriptions.external_subscription_id
                order by subscriptions.created_at
            ),
            {{ end_of_time() }}
        ) as valid_to_at
    from subscriptions

)

select
    versions.organization_id,
    versions.external_subscription_id,
    versions.created_at,
    versions.external_customer_id,
    versions.subscription_name,
    versions.plan_code,
    versions.base_plan_code,
    started.plan_interval,
    versions.billing_time,
    versions.purchase_order_number,
    started.timezone,
    versions.subscription_at,
    started.started_at,
    started.started_date,
    versions.ending_at,
    versions.terminated_at,
    {# the state at as_of of the newest close: no clock is asked #}
    case
        when started.ended_by in ('upgrade', 'downgrade') then 'replaced'
        when started.ended_by = 'termination' then 'terminated'
        when started.started_at > closes.as_of then 'pending'
        when started.started_at is not null then 'active'
        when versions.terminated_at <= closes.as_of then 'terminated'
        when versions.created_at > closes.as_of then 'pending'
        else 'replaced'
    end as subscription_status,
    closes.as_of,
    versions.created_at as valid_from_at,
    versions.valid_to_at,
    versions.valid_to_at = {{ end_of_time() }} as is_current
from versions
inner join closes
    on versions.organization_id = closes.organization_id
left join started
    on
        versions.organization_id = started.organization_id
        and versions.external_subscription_id = started.external_subscription_id
        and versions.created_at = started.created_at
