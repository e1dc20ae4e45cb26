-- The events in the warehouse that a line may repeat, found by the hash of their id; in DuckDB, which has no index to ask.
create temp table landing_known as
select *
from {{ raw }}.usage_events
where rowid in (
    select rowid from {{ raw }}.usage_events where key_hash in (select key_hash from landing_incoming)
)
