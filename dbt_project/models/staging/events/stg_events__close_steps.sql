select
    close_steps.close_id,
    close_steps.step_position,
    close_steps.step,
    close_steps.started_at,
    close_steps.wall_seconds,
    close_steps.cpu_seconds,
    close_steps.rows_count
from {{ source('raw', 'close_steps') }} as close_steps
