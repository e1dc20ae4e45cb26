select
    usage_events.organization_id,
    usage_events.external_subscription_id,
    usage_events.transaction_id,
    usage_events.code,
    usage_events.event_at,
    usage_events.received_at,
    usage_events.properties,
    usage_events.precise_total_amount_cents,
    usage_events.layout_id,
    usage_events.quantity,
    usage_events.item,
    usage_events.is_remove,
    usage_events.facets,
    usage_events.batch_id,
    usage_events.file_id,
    usage_events.line_number
from {{ source('raw', 'usage_events') }} as usage_events
