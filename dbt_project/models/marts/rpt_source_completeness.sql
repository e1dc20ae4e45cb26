with

completeness as (

    select * from {{ ref('gate_source_completeness') }}

),

closes as (

    select * from {{ ref('fct_close') }}
    where is_newest

)

select
    completeness.organization_id,
    completeness.expected_source,
    completeness.cadence,
    completeness.from_at,
    completeness.to_at,
    completeness.complete_by_at,
    cast(completeness.completeness_state as varchar) as completeness_state,
    completeness.files_count,
    completeness.landed_events_count,
    completeness.rejected_lines_count,
    completeness.last_event_at,
    completeness.last_landed_at,
    closes.close_id,
    closes.as_of,
    closes.override_reason
from completeness
inner join closes
    on completeness.organization_id = closes.organization_id
