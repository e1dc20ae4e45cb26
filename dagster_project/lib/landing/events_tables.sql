-- The working tables of one landing transaction, in the DuckDB that parses.
create or replace temp table landing_organizations (organization_id varchar);

create or replace temp table landing_parsed (
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
    is_doubtful boolean,
    line varchar,
    raw varchar,
    problem varchar
);

create or replace temp table landing_rejected (
    file_id bigint, line_number bigint, reason_code varchar, reason varchar, raw_text varchar
);

create or replace temp view landing_incoming as
select * exclude (is_doubtful, line, raw, problem) from landing_parsed where not is_doubtful;

-- the events with what the catalogue reads of them, as stg_events__usage_events describes it; no layout where a facet has a
-- control character, which engines write in different ways
create or replace temp view landing_extracted as
with picked as (
    select
        parsed.* exclude (is_doubtful, line, raw, problem),
        layouts.layout_id,
        layouts.is_counted,
        layouts.facets_count,
        {{ picked }} as texts
    from landing_parsed as parsed
    left join landing_layouts as layouts
        on parsed.organization_id = layouts.organization_id and parsed.code = layouts.code
    where not parsed.is_doubtful
),
faceted as (
    select
        *,
        texts[facets_count + 1] as measured,
        case when facets_count > 0 then to_json(texts[1:facets_count])::varchar end as facets
    from picked
)
select
    * exclude (layout_id, is_counted, facets_count, texts, measured, facets),
    case when not coalesce(contains(facets, '\u00'), false) then layout_id end as layout_id,
    landing_quantity(measured) as quantity,
    case when is_counted then coalesce('=' || measured, '') end as item,
    case when is_counted then coalesce(texts[facets_count + 2] = 'remove', false) end as is_remove,
    facets
from faceted
