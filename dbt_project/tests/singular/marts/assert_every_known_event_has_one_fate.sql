{# The fates of an organisation's newest close add up to the landed events that the close knew. #}
with

fate_sums as (

    select
        reconciliation.organization_id,
        sum(reconciliation.events_count) as events_count
    from {{ ref('usage_reconciliation') }} as reconciliation
    group by reconciliation.organization_id

),

closes as (

    select * from {{ ref('fct_close') }}
    where is_newest

),

batch_sums as (

    select
        usage_events.organization_id,
        usage_events.batch_id,
        count(*) as events_count
    from {{ ref('stg_events__usage_events') }} as usage_events
    group by usage_events.organization_id, usage_events.batch_id

),

known_sums as (

    select
        closes.close_id,
        closes.organization_id,
        coalesce(sum(batch_sums.events_count), 0) as events_count
    from closes
    left join batch_sums
        on
            closes.organization_id = batch_sums.organization_id
            and closes.known_batch_id >= batch_sums.batch_id
    group by closes.close_id, closes.organization_id

)

select
    known_sums.close_id,
    known_sums.organization_id,
    known_sums.events_count as known_events_count,
    fate_sums.events_count as fate_events_count
from known_sums
left join fate_sums
    on known_sums.organization_id = fate_sums.organization_id
where known_sums.events_count <> coalesce(fate_sums.events_count, 0)
