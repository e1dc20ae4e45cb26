with

quarantined_events as (

    select * from {{ ref('stg_events__quarantined_events') }}

),

landed_files as (

    select * from {{ ref('stg_events__landed_files') }}

)

select
    quarantined_events.file_id,
    quarantined_events.line_number,
    landed_files.file_path,
    landed_files.landed_at,
    quarantined_events.batch_id,
    quarantined_events.reason_code,
    quarantined_events.reason,
    quarantined_events.raw_text
from quarantined_events
inner join landed_files
    on quarantined_events.file_id = landed_files.file_id
