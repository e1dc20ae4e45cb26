select
    event_layouts.layout_id,
    event_layouts.organization_id,
    event_layouts.event_code,
    event_layouts.measured_field,
    event_layouts.facet_keys,
    event_layouts.is_measured,
    event_layouts.is_counted,
    event_layouts.batch_id
from {{ source('raw', 'event_layouts') }} as event_layouts
