select
    local_days.timezone,
    local_days.local_date,
    local_days.started_at,
    local_days.ended_at
from {{ source('raw', 'local_days') }} as local_days
