with

conflicting_events as (

    select * from {{ ref('stg_events__conflicting_events') }}

),

usage_events as (

    select * from {{ ref('stg_events__usage_events') }}

),

landed_files as (

    select * from {{ ref('stg_events__landed_files') }}

)

select
    conflicting_events.file_id,
    conflicting_events.line_number,
    landed_files.file_path,
    landed_files.landed_at,
    conflicting_events.batch_id,
    conflicting_events.organization_id,
    conflicting_events.external_subscription_id,
    conflicting_events.transaction_id,
    conflicting_events.code as event_code,
    conflicting_events.event_at,
    conflicting_events.received_at,
    conflicting_events.properties,
    conflicting_events.precise_total_amount_cents,
    usage_events.code as kept_event_code,
    usage_events.event_at as kept_event_at,
    usage_events.received_at as kept_received_at,
    usage_events.properties as kept_properties,
    usage_events.precise_total_amount_cents as kept_precise_total_amount_cents,
    usage_events.file_id as kept_file_id,
    usage_events.line_number as kept_line_number
from conflicting_events
inner join landed_files
    on conflicting_events.file_id = landed_files.file_id
left join usage_events
    on
        conflicting_events.organization_id = usage_events.organization_id
        and conflicting_events.external_subscription_id = usage_events.external_subscription_id
        and conflicting_events.transaction_id = usage_events.transaction_id
