select
    quarantined_events.batch_id,
    quarantined_events.file_id,
    quarantined_events.line_number,
    quarantined_events.reason_code,
    quarantined_events.reason,
    quarantined_events.raw_text
from {{ source('raw', 'quarantined_events') }} as quarantined_events
