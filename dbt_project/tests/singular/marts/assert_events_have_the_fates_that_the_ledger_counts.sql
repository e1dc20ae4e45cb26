{#
  The fates of the single events add up to those that the newest close wrote into the ledger, for the
  organisations whose events that close has placed.
#}
{{ config(tags=['every_event']) }}

with

event_counts as (

    select
        events.organization_id,
        events.external_subscription_id,
        events.event_code,
        events.fate,
        count(*) as events_count
    from {{ ref('fct_usage_event') }} as events
    where events.fate <> 'not_seen'
    group by
        events.organization_id,
        events.external_subscription_id,
        events.event_code,
        events.fate

),

organizations as (

    select event_counts.organization_id
    from event_counts
    group by event_counts.organization_id

),

reconciliation as (

    select reconciliation.*
    from {{ ref('usage_reconciliation') }} as reconciliation
    inner join organizations
        on reconciliation.organization_id = organizations.organization_id

)

select
    coalesce(event_counts.organization_id, reconciliation.organization_id) as organization_id,
    coalesce(event_counts.fate, reconciliation.fate) as fate,
    event_counts.events_count as placed_events_count,
    reconciliation.events_count as counted_events_count
from event_counts
full outer join reconciliation
    on
        event_counts.organization_id = reconciliation.organization_id
        and event_counts.external_subscription_id = reconciliation.external_subscription_id
        and event_counts.event_code = reconciliation.event_code
        and event_counts.fate = reconciliation.fate
where coalesce(event_counts.events_count, 0) <> coalesce(reconciliation.events_count, 0)
