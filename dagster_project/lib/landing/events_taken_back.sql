-- They wait with that line, so that the first of them becomes the event.
delete from {{ raw }}.usage_events
where file_id >= {{ first_file_id }}
    and (file_id, line_number) in (select (file_id, line_number) from landing_overtaken);

insert into landing_parsed by name
select
    file_id,
    line_number,
    organization_id,
    external_subscription_id,
    transaction_id,
    code,
    event_at,
    received_at,
    properties,
    precise_total_amount_cents,
    key_hash,
    false as is_doubtful
from landing_overtaken
