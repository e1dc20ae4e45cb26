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

plans_billed_at_once as (

    select
        charges.organization_id,
        charges.plan_code
    from charges
    where charges.is_pay_in_advance

    union distinct

    select
        thresholds.organization_id,
        thresholds.plan_code
    from {{ ref('stg_book__plan_usage_thresholds') }} as thresholds

    union distinct

    select
        subscriptions.organization_id,
        subscriptions.plan_code
    from subscriptions
    inner join {{ ref('stg_book__subscription_usage_thresholds') }} as thresholds
        on
            subscriptions.organization_id = thresholds.organization_id
            and subscriptions.external_subscription_id = thresholds.external_subscription_id

    union distinct

    {# wallets that are topped up by what usage leaves of them #}
    select
        subscriptions.organization_id,
        subscriptions.plan_code
    from subscriptions
    inner join {{ ref('int_customers_resolved') }} as customers
        on
            subscriptions.organization_id = customers.organization_id
            and subscriptions.external_customer_id = customers.external_customer_id
    inner join {{ ref('int_top_up_rules') }} as rules
        on
            customers.organization_id = rules.organization_id
            and customers.payer_external_customer_id = rules.external_customer_id
            and rules.is_judged

),

customer_features as (

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
    {# what was billed at the event's own instant cannot be corrected yet #}
    inner join plans_billed_at_once
        on
            subscriptions.organization_id = plans_billed_at_once.organization_id
            and subscriptions.plan_code = plans_billed_at_once.plan_code

)

{# a feature that is asked for in several places is named once #}
select distinct
    customer_features.organization_id,
    customer_features.external_customer_id,
    customer_features.feature
from customer_features
where customer_features.external_customer_id is not null
