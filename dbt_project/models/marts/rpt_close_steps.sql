{# a view: the last steps of a close end after its marts are built #}
select
    steps.close_id,
    steps.step_position,
    steps.step,
    steps.started_at,
    steps.wall_seconds,
    steps.cpu_seconds,
    steps.rows_count
from {{ ref('stg_events__close_steps') }} as steps
inner join {{ ref('closes') }} as closes
    on steps.close_id = closes.close_id
