-- Plain lines as the scanner gives them, with the columns of parsed ones; what the catalogue reads of them stands beside.
select
    file_id,
    line_number,
    organization_id,
    external_subscription_id,
    transaction_id,
    code,
    event_at,
    null::timestamp as received_at,
    properties,
    null::decimal(38, 12) as precise_total_amount_cents,
    landing_key_hash(organization_id, external_subscription_id, transaction_id) as key_hash,
    false as is_doubtful,
    null::varchar as line,
    null::varchar as raw,
    null::varchar as problem,
    layout_id,
    quantity,
    item,
    is_remove,
    facets
from {{ stream }}
