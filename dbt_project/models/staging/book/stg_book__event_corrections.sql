with

event_corrections as (

    {{ known_records('event_corrections', ['event_correction_id']) }}

)

select
    event_corrections.organization_id,
    event_corrections.event_correction_id,
    event_corrections.transaction_id,
    event_corrections.external_subscription_id,
    event_corrections.action,
    event_corrections.reason,
    event_corrections.created_at,
    event_corrections.code,
    event_corrections.event_at,
    event_corrections.properties,
    event_corrections.precise_total_amount_cents,
    event_corrections.replacement_event,
    event_corrections.position,
    event_corrections.batch_id,
    event_corrections.source_file,
    event_corrections.source_line
from event_corrections
