-- Plain lines as the scanner gives them: the new ones go straight into the warehouse; those whose id may be known wait.
insert into {{ events }} (
    organization_id, external_subscription_id, transaction_id, code, event_at, properties,
    key_hash, layout_id, quantity, item, is_remove, facets, batch_id, file_id, line_number
)
select
    organization_id, external_subscription_id, transaction_id, code, event_at, properties,
    key_hash, layout_id, quantity, item, is_remove, facets, {{ batch_id }}, file_id, line_number
from {{ lines }}
where is_known = 0;

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
where is_known = 1
