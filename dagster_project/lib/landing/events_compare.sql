-- Lines whose event is known from an earlier line, compared with it: the first one wins. The same on every engine.
insert into landing_repeats (file_id, line_number, is_same, is_alike, properties, first_properties)
with pairs as (
    {{ pairs }}
),
compared as (
    select
        *,
        content_hash = first_content_hash as is_same,
        content_hash <> first_content_hash
        and code = first_code
        and event_at = first_event_at
        and coalesce(precise_total_amount_cents, 0) = coalesce(first_amount, 0) as is_alike
    from pairs
)
select
    file_id,
    line_number,
    is_same,
    -- all but the properties are equal: the order of their keys does not count
    is_alike,
    case when is_alike then properties end as properties,
    case when is_alike then first_properties end as first_properties
from compared
