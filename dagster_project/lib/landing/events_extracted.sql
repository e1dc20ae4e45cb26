-- Parsed events with what the catalogue reads of them, as stg_events__usage_events describes it; no layout where a facet has a
-- control character, which engines write in different ways.
with located as (
    select parsed.* exclude (is_doubtful, line, raw, problem), layouts.* exclude (organization_id, code)
    from {{ rows }} as parsed
    left join landing_layouts as layouts
        on parsed.organization_id = layouts.organization_id and parsed.code = layouts.code
),
picked as (
    select *, {{ measured }} as measured, {{ facets }} as facets
    from located
)
select
    * exclude (layout_id, measured_number, facets_number, is_counted, measured, facets),
    case when not coalesce(contains(facets, '\u00'), false) then layout_id end as layout_id,
    landing_quantity(measured) as quantity,
    case when is_counted then coalesce('=' || measured, '') end as item,
    case when is_counted then coalesce(json_extract_string(properties, '/operation_type') = 'remove', false) end as is_remove,
    facets
from picked
