select
    conflicting_events.organization_id,
    conflicting_events.external_subscription_id,
    conflicting_events.transaction_id,
    conflicting_events.code,
    conflicting_events.event_at,
    conflicting_events.received_at,
    conflicting_events.properties,
    conflicting_events.precise_total_amount_cents,
    conflicting_events.batch_id,
    conflicting_events.file_id,
    conflicting_events.line_number
from {{ source('raw', 'conflicting_events') }} as conflicting_events
