with

usage_events as (

    select * from {{ ref('stg_events__usage_events') }}

)

{# the one scan of the landed events for the gate: findings and control totals read this #}
select
    usage_events.file_id,
    usage_events.batch_id,
    usage_events.organization_id,
    count(*) as events_count,
    cast(
        sum(
            case
                when
                    usage_events.organization_id <> ''
                    and usage_events.external_subscription_id <> ''
                    and usage_events.transaction_id <> ''
                    and usage_events.code <> ''
                    and usage_events.event_at is not null
                    then 1
                else 0
            end
        ) as bigint
    ) as keyed_events_count
from usage_events
group by usage_events.file_id, usage_events.batch_id, usage_events.organization_id
