-- Plain lines as the scanner gives them, whose ids are new, straight into the warehouse.
insert into {{ events }} (
    organization_id, external_subscription_id, transaction_id, code, event_at, properties,
    key_hash, layout_id, quantity, item, is_remove, facets, batch_id, file_id, line_number
)
select
    organization_id, external_subscription_id, transaction_id, code, event_at, properties,
    key_hash, layout_id, quantity, item, is_remove, facets, {{ batch_id }}, file_id, line_number
from {{ lines }}
where is_known = 0
