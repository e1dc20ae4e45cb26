-- What was parsed elsewhere, in a warehouse that does not parse itself.
create temp table landing_incoming (
    file_id bigint,
    line_number bigint,
    organization_id varchar,
    external_subscription_id varchar,
    transaction_id varchar,
    code varchar,
    event_at timestamp,
    received_at timestamp,
    properties varchar,
    precise_total_amount_cents decimal(38, 12),
    key_hash bigint,
    layout_id bigint,
    quantity decimal(27, 12),
    item varchar,
    is_remove boolean,
    facets varchar
) on commit drop;

create temp table landing_rejected (
    file_id bigint, line_number bigint, reason_code varchar, reason varchar, raw_text varchar
) on commit drop
