{#
  What a customer's book asks for that billing cannot do yet. Such customers wait instead of being billed wrongly;
  a row disappears from here with the issue that builds its feature.
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

subscriptions as (

    select subscriptions.*
    from {{ ref('stg_book__subscriptions') }} as subscriptions
    inner join close_scope
        on
            subscriptions.organization_id = close_scope.organization_id
            and subscriptions.created_at <= close_scope.as_of

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

plan_features as (

    select
        charges.organization_id,
        charges.plan_code,
        'regroup_paid_fees' as feature
    from charges
    where charges.regroup_paid_fees is not null

),

customer_features as (

    select
        subscriptions.organization_id,
        subscriptions.external_customer_id,
        plan_features.feature
    from subscriptions
    inner join plan_features
        on
            subscriptions.organization_id = plan_features.organization_id
            and subscriptions.plan_code = plan_features.plan_code

    union all

    select
        parents.organization_id,
        parents.external_customer_id,
        'hierarchy' as feature
    from {{ ref('stg_book__customers') }} as parents
    where parents.parent_external_customer_id is not null

    union all

    select
        wallets.organization_id,
        wallets.external_customer_id,
        'top_up_rules' as feature
    from {{ ref('stg_book__wallets') }} as wallets
    inner join close_scope
        on
            wallets.organization_id = close_scope.organization_id
            and wallets.created_at <= close_scope.as_of
    where wallets.recurring_transaction_rules is not null and wallets.recurring_transaction_rules <> '[]'

    union all

    select
        voids.organization_id,
        coalesce(voids.match_external_customer_id, subscriptions.external_customer_id) as external_customer_id,
        'invoice_void' as feature
    from {{ ref('stg_book__invoice_voids') }} as voids
    inner join close_scope
        on
            voids.organization_id = close_scope.organization_id
            and voids.voided_at <= close_scope.as_of
    left join subscriptions
        on
            voids.organization_id = subscriptions.organization_id
            and voids.match_external_subscription_id = subscriptions.external_subscription_id

    union all

    select
        corrections.organization_id,
        subscriptions.external_customer_id,
        'event_correction' as feature
    from {{ ref('stg_book__event_corrections') }} as corrections
    inner join close_scope
        on
            corrections.organization_id = close_scope.organization_id
            and corrections.created_at <= close_scope.as_of
    inner join subscriptions
        on
            corrections.organization_id = subscriptions.organization_id
            and corrections.external_subscription_id = subscriptions.external_subscription_id

)

{# a feature that is asked for in several places is named once #}
select distinct
    customer_features.organization_id,
    customer_features.external_customer_id,
    customer_features.feature
from customer_features
where customer_features.external_customer_id is not null
