-- Lines whose event is known from an earlier line, compared with it: the first one wins. The same on every engine.
insert into landing_repeats (file_id, line_number, is_same, is_alike, properties, first_properties)
with pairs as (
    {{ pairs }}
),
compared as (
    select
        *,
        code = first_code
        and event_at = first_event_at
        and coalesce(precise_total_amount_cents, 0) = coalesce(first_amount, 0) as is_near,
        properties = first_properties as has_same_properties
    from pairs
)
select
    file_id,
    line_number,
    is_near and has_same_properties as is_same,
    -- all but the properties are equal: the order of their keys does not count
    is_near and not has_same_properties as is_alike,
    case when is_near and not has_same_properties then properties end as properties,
    case when is_near and not has_same_properties then first_properties end as first_properties
from compared
