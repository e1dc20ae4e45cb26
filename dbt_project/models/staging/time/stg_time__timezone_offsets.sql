select
    timezone_offsets.timezone,
    timezone_offsets.valid_from_at,
    timezone_offsets.valid_to_at,
    timezone_offsets.utc_offset_seconds
from {{ source('raw', 'timezone_offsets') }} as timezone_offsets
