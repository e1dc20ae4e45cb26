select
    histories.timezone_history,
    histories.timezone,
    greatest(histories.valid_from_at, offsets.valid_from_at) as valid_from_at,
    least(histories.valid_to_at, offsets.valid_to_at) as valid_to_at,
    offsets.utc_offset_seconds
from {{ ref('int_timezone_histories') }} as histories
inner join {{ ref('stg_time__timezone_offsets') }} as offsets
    on
        histories.timezone = offsets.timezone
        and histories.valid_from_at < offsets.valid_to_at
        and histories.valid_to_at > offsets.valid_from_at
