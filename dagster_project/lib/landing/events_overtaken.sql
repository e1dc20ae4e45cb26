-- Events of this landing that are in the warehouse although an earlier line, which had to be looked at, has the same id.
create temp table landing_overtaken as
select *
from {{ raw }}.usage_events
where rowid in (
    select events.rowid
    from {{ raw }}.usage_events as events
    inner join landing_incoming as incoming on events.key_hash = incoming.key_hash
    where events.file_id >= {{ first_file_id }}
        and (incoming.file_id, incoming.line_number) < (events.file_id, events.line_number)
)
