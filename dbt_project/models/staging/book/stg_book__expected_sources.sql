with

expected_sources as (

    {{ known_records('expected_sources', ['expected_source']) }}

)

select
    expected_sources.organization_id,
    expected_sources.expected_source,
    expected_sources.source_kind,
    expected_sources.cadence,
    expected_sources.complete_by,
    expected_sources.complete_within_seconds,
    expected_sources.batch_id,
    expected_sources.source_file,
    expected_sources.source_line
from expected_sources
