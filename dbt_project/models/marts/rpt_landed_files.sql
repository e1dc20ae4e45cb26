with

landed_files as (

    select * from {{ ref('stg_events__landed_files') }}

),

batches as (

    select * from {{ ref('stg_events__landing_batches') }}

)

{# a batch has its row once it is complete: files of an interrupted one wait for it #}
select
    landed_files.file_id,
    landed_files.batch_id,
    landed_files.file_path,
    landed_files.file_sha256,
    landed_files.file_bytes,
    landed_files.file_format,
    landed_files.landed_at,
    batches.batch_id is not null as is_batch_complete,
    landed_files.lines_count,
    landed_files.landed_count,
    landed_files.duplicates_count,
    landed_files.conflicts_count,
    landed_files.rejected_count,
    landed_files.lines_count
    - landed_files.landed_count
    - landed_files.duplicates_count
    - landed_files.conflicts_count
    - landed_files.rejected_count as unaccounted_count
from landed_files
left join batches
    on landed_files.batch_id = batches.batch_id
