with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state in {{ open_states() }}

),

{# a subscription's own thresholds replace the plan's: docs/billing-rules.md, Thresholds #}
watched_moments as (

    select moments.*
    from moments
    inner join {{ ref('stg_book__plan_usage_thresholds') }} as thresholds
        on
            moments.organization_id = thresholds.organization_id
            and moments.plan_code = thresholds.plan_code
            and moments.plan_effective_at = thresholds.effective_at
            and thresholds.threshold_position = 1

    union distinct

    select moments.*
    from moments
    inner join {{ ref('stg_book__subscription_usage_thresholds') }} as thresholds
        on
            moments.organization_id = thresholds.organization_id
            and moments.external_subscription_id = thresholds.external_subscription_id
            and moments.subscription_created_at = thresholds.created_at
            and thresholds.threshold_position = 1

),

{#
  Usage that counts against a wallet which is topped up by what is left of it is looked at when an hour is
  over, so that a customer with many events has no more instants than hours.
#}
looked_at_moments as (

    select
        watched_moments.*,
        false as is_hourly
    from watched_moments

    union all

    select distinct
        moments.*,
        true as is_hourly
    from moments
    inner join {{ ref('int_customers_resolved') }} as customers
        on
            moments.organization_id = customers.organization_id
            and moments.external_customer_id = customers.external_customer_id
    inner join {{ ref('int_top_up_rules') }} as rules
        on
            customers.organization_id = rules.organization_id
            and customers.payer_external_customer_id = rules.external_customer_id
            and rules.is_judged

),

{# usage changes when an event that such an invoice would bill has happened and is known, or is corrected #}
changes as (

    select
        located.moment_id,
        located.code,
        greatest(located.event_at, located.received_at) as changed_at
    from {{ ref('int_events_located') }} as located
    where located.fate in {{ open_states() }} and not coalesce(located.is_corrected, false)

    union all

    select
        versions.moment_id,
        versions.code,
        greatest(versions.event_at, versions.known_at) as changed_at
    from {{ ref('int_event_versions') }} as versions

),

instants as (

    select
        looked_at.moment_id as period_moment_id,
        {{ surrogate_key([
            'looked_at.organization_id', 'looked_at.external_subscription_id',
            'looked_at.subscription_created_at', 'looked_at.usage_from_at',
        ]) }} as period_id,
        looked_at.organization_id,
        looked_at.external_subscription_id,
        case
            when looked_at.is_hourly then date_trunc('hour', changes.changed_at) + interval '1 hour'
            else changes.changed_at
        end as window_at,
        looked_at.usage_full_to_at,
        case when looked_at.is_hourly then 1 else 0 end as hour_ends
    from looked_at_moments as looked_at
    inner join changes
        on looked_at.moment_id = changes.moment_id
    inner join {{ ref('int_metered_charges') }} as metered_charges
        on
            looked_at.moment_id = metered_charges.moment_id
            and changes.code = metered_charges.event_code
            and metered_charges.is_invoiceable
            and not metered_charges.is_pay_in_advance

)

{# named by the period's beginning: whether and how the period ends may not be known yet when the window is billed #}
select
    {{ surrogate_key(['instants.period_id', "'progressive_billing'", 'instants.window_at']) }} as window_id,
    instants.period_id,
    instants.period_moment_id,
    instants.organization_id,
    instants.external_subscription_id,
    instants.window_at,
    {# an end that comes inside of the period was not known then #}
    instants.usage_full_to_at as usage_to_at,
    max(instants.hour_ends) = 1 as is_hour_end
from instants
group by
    instants.period_id, instants.period_moment_id, instants.organization_id, instants.external_subscription_id,
    instants.window_at, instants.usage_full_to_at
