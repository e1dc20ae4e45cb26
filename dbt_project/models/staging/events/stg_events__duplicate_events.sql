select
    duplicate_events.organization_id,
    duplicate_events.external_subscription_id,
    duplicate_events.transaction_id,
    duplicate_events.batch_id,
    duplicate_events.file_id,
    duplicate_events.line_number
from {{ source('raw', 'duplicate_events') }} as duplicate_events
