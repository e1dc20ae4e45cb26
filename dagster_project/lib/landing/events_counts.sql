-- One row per file and fate of a line.
select file_id, 'landed' as fate, cast(sum(lines_count) as bigint) as lines_count
from ({{ landed }}) as landed
group by file_id
union all
select file_id, 'duplicates' as fate, count(*) as lines_count
from {{ raw }}.duplicate_events where file_id >= {{ first_file_id }} group by file_id
union all
select file_id, 'conflicts' as fate, count(*) as lines_count
from {{ raw }}.conflicting_events where file_id >= {{ first_file_id }} group by file_id
union all
select file_id, 'rejected' as fate, count(*) as lines_count
from {{ raw }}.quarantined_events where file_id >= {{ first_file_id }} group by file_id
