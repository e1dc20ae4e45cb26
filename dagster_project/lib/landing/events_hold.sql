-- Parsed lines into landing_parsed.
insert into landing_parsed
select
    file_id, line_number, organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
    precise_total_amount_cents, key_hash, is_doubtful, line, raw, problem
from ({{ parsed }}) as parsed
