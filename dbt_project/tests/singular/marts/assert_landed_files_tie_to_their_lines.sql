{#
  What a file's mark counts is what landed of it: every line is an event, a duplicate, a conflict or
  in quarantine.
#}
with

landed as (

    select
        usage_events.file_id,
        count(*) as lines_count
    from {{ ref('stg_events__usage_events') }} as usage_events
    group by usage_events.file_id

),

duplicates as (

    select
        duplicate_events.file_id,
        count(*) as lines_count
    from {{ ref('stg_events__duplicate_events') }} as duplicate_events
    group by duplicate_events.file_id

),

conflicts as (

    select
        conflicting_events.file_id,
        count(*) as lines_count
    from {{ ref('stg_events__conflicting_events') }} as conflicting_events
    group by conflicting_events.file_id

),

rejected as (

    select
        quarantined_events.file_id,
        count(*) as lines_count
    from {{ ref('stg_events__quarantined_events') }} as quarantined_events
    group by quarantined_events.file_id

),

{# also lines of files that have no mark #}
files as (

    select landed_files.file_id
    from {{ ref('rpt_landed_files') }} as landed_files
    union
    select landed.file_id
    from landed
    union
    select duplicates.file_id
    from duplicates
    union
    select conflicts.file_id
    from conflicts
    union
    select rejected.file_id
    from rejected

)

select
    files.file_id,
    landed_files.lines_count,
    landed.lines_count as landed_count,
    duplicates.lines_count as duplicates_count,
    conflicts.lines_count as conflicts_count,
    rejected.lines_count as rejected_count
from files
left join {{ ref('rpt_landed_files') }} as landed_files
    on files.file_id = landed_files.file_id
left join landed
    on files.file_id = landed.file_id
left join duplicates
    on files.file_id = duplicates.file_id
left join conflicts
    on files.file_id = conflicts.file_id
left join rejected
    on files.file_id = rejected.file_id
where
    landed_files.file_id is null
    or landed_files.unaccounted_count <> 0
    or landed_files.landed_count <> coalesce(landed.lines_count, 0)
    or landed_files.duplicates_count <> coalesce(duplicates.lines_count, 0)
    or landed_files.conflicts_count <> coalesce(conflicts.lines_count, 0)
    or landed_files.rejected_count <> coalesce(rejected.lines_count, 0)
