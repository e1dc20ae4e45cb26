-- The same where all of them were moved, and no index finds them in the warehouse.
select file_id, count(*) as lines_count from landing_incoming group by file_id
union all
select file_id, -count(*) as lines_count from landing_repeats group by file_id
