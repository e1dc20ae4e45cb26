-- Plain lines as the scanner gives them, whose ids may be known: they wait for the end of the landing transaction.
insert into landing_parsed by name
select
    file_id,
    line_number,
    organization_id,
    external_subscription_id,
    transaction_id,
    code,
    event_at,
    properties,
    key_hash,
    false as is_doubtful
from {{ lines }}
