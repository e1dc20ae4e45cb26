with

advance as (

    select * from {{ ref('int_advance_events') }}
    where is_charged

),

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_pay_in_advance and is_invoiceable

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

{# an event is billed as soon as it has happened and is known: docs/billing-rules.md, Prices #}
billed as (

    select
        advance.advance_event_id as moment_id,
        advance.transaction_id,
        advance.period_moment_id,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        moments.plan_code,
        moments.plan_effective_at,
        moments.base_plan_code,
        moments.subscription_name,
        moments.purchase_order_number,
        advance.charged_at as billing_at,
        advance.event_date as billing_date,
        {#
          Events of one instant are invoiced one after the other, in their order: a text that says nothing of the other events,
          so that it is the same in every close.
        #}
        moments.external_subscription_id
        || ' ' || cast(advance.event_at as varchar)
        || ' ' || cast(advance.received_at as varchar)
        || ' ' || {{ natural_order('advance.transaction_id') }}
        || ' ' || advance.transaction_id
        || ' ' || lpad(cast(charge_windows.charge_position as varchar), 6, '0') as order_at_instant,
        moments.close_id,
        moments.as_of,
        moments.known_batch_id
    from advance
    inner join charge_windows
        on
            advance.moment_id = charge_windows.moment_id
            and advance.charge_code = charge_windows.charge_code
    inner join moments
        on advance.period_moment_id = moments.moment_id

)

select
    billed.*,
    case when finalized_moments.moment_id is not null then 'finalized' else 'due' end as moment_state
from billed
left join finalized_moments
    on billed.moment_id = finalized_moments.moment_id
