-- The number of events of this landing by file.
select file_id, count(*) as lines_count from {{ raw }}.usage_events where file_id >= {{ first_file_id }} group by file_id
