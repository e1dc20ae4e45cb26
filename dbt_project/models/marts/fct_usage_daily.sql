{# Reads every event and its value: a view, so that a close does not pay for what nobody asks. #}
{{ config(materialized='view') }}

with

{# with what was corrected in time #}
usage_events as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        coalesce(versions.code, usage_events.code) as code,
        coalesce(versions.event_at, usage_events.event_at) as event_at,
        coalesce(versions.properties, usage_events.properties) as properties
    from {{ ref('stg_events__usage_events') }} as usage_events
    left join {{ ref('int_event_versions') }} as versions
        on
            usage_events.organization_id = versions.organization_id
            and usage_events.external_subscription_id = versions.external_subscription_id
            and usage_events.transaction_id = versions.transaction_id
            and versions.is_billed_version
    where not coalesce(versions.is_cancelled, false)

),

metrics as (

    select * from {{ ref('dim_metric') }}

),

read_events as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.code,
        metrics.billable_metric_code,
        metrics.aggregation_type,
        usage_events.event_at,
        case
            when metrics.aggregation_type = 'sum_agg'
                then {{ json_text('usage_events.properties', 'metrics.field_name') }}
        end as value_text
    from usage_events
    left join metrics
        on
            usage_events.organization_id = metrics.organization_id
            and usage_events.code = metrics.event_code
            and usage_events.event_at >= metrics.valid_from_at
            and usage_events.event_at < metrics.valid_to_at

),

readings as (

    select
        read_events.organization_id,
        read_events.external_subscription_id,
        read_events.code,
        read_events.billable_metric_code,
        read_events.event_at,
        case
            when read_events.aggregation_type = 'count_agg' then cast(1 as decimal(27, 12))
            else {{ parse_quantity('read_events.value_text') }}
        end as quantity
    from read_events

)

select
    readings.organization_id,
    readings.external_subscription_id,
    readings.code as event_code,
    readings.billable_metric_code,
    cast(readings.event_at as date) as usage_date,
    count(*) as events_count,
    cast(sum(readings.quantity) as decimal(38, 12)) as quantity,
    min(readings.event_at) as first_event_at,
    max(readings.event_at) as last_event_at
from readings
group by
    readings.organization_id,
    readings.external_subscription_id,
    readings.code,
    readings.billable_metric_code,
    cast(readings.event_at as date)
