with

fates as (

    select * from {{ ref('ledger_event_fates') }}

),

closes as (

    select * from {{ ref('fct_close') }}
    where is_newest

),

subscribers as (

    {# the rows of a subscription (plan changes, new starts) belong to one customer #}
    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.external_customer_id) as external_customer_id
    from {{ ref('dim_subscription') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

)

select
    fates.organization_id,
    fates.external_subscription_id,
    fates.code as event_code,
    fates.fate,
    subscribers.external_customer_id,
    fates.events_count,
    fates.fate in ('billed', 'late') as is_final,
    closes.as_of,
    closes.known_batch_id,
    fates.close_id
from fates
inner join closes
    on
        fates.close_id = closes.close_id
        and fates.organization_id = closes.organization_id
left join subscribers
    on
        fates.organization_id = subscribers.organization_id
        and fates.external_subscription_id = subscribers.external_subscription_id
