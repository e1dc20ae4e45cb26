-- Parsed lines: what is plain and new goes straight into the warehouse, in one pass; landing_parsed holds the others. These are
-- what is in doubt, what a metric's expression reads, and every line whose id this landing or an earlier one has already.
with parsed as materialized (
    {{ parsed }}
),
repeated as materialized (
    select key_hash from parsed where not is_doubtful group by key_hash having count(*) > 1
    union all
    select key_hash from landing_parsed where not is_doubtful
    union all
    select key_hash from {{ events }} where key_hash in (select key_hash from parsed)
),
plain as (
    select *
    from parsed
    where not (is_doubtful or {{ is_kept }})
        and not exists (select 1 from repeated where repeated.key_hash = parsed.key_hash)
),
taken as (
    insert into {{ events }} (
        organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
        precise_total_amount_cents, key_hash, layout_id, quantity, item, is_remove, facets, batch_id, file_id, line_number
    )
    select
        organization_id, external_subscription_id, transaction_id, code, event_at, received_at, properties,
        precise_total_amount_cents, key_hash, layout_id, quantity, item, is_remove, facets,
        {{ batch_id }}, file_id, line_number
    from ({{ extracted }}) as extracted
)
insert into landing_parsed
select *
from parsed
where is_doubtful or {{ is_kept }} or key_hash in (select key_hash from repeated)
