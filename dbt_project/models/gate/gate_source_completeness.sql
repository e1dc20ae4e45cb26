with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

{# what is not finalised yet needs its sources; what is, does not ask any more #}
open_usage as (

    select
        moments.organization_id,
        min(moments.usage_from_at) as first_usage_at
    from {{ ref('int_billing_moments') }} as moments
    where moments.moment_state not in ('skipped', 'finalized') and moments.usage_from_at < moments.usage_to_at
    group by moments.organization_id

),

sources as (

    select
        expected_sources.organization_id,
        expected_sources.expected_source,
        expected_sources.source_kind,
        coalesce(expected_sources.cadence, 'once') as cadence,
        {# days, weeks and months are those of the organisation, hours those of UTC #}
        case when expected_sources.cadence = 'hourly' then 'UTC' else organizations.timezone end as timezone,
        coalesce(expected_sources.complete_within_seconds, 0) as complete_within_seconds,
        {# a path that names its interval is complete when that file is there; another one by the times of its events #}
        expected_sources.expected_source like '%{yyyy}%' as is_named_by_interval,
        {# the end of a path: what LIKE reads is escaped, * and ? are its signs #}
        '%/' || replace(
            replace(
                replace(replace(replace(expected_sources.expected_source, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'
            ),
            '?', '_'
        ) as path_pattern,
        close_scope.as_of,
        close_scope.known_batch_id,
        open_usage.first_usage_at
    from {{ ref('stg_book__expected_sources') }} as expected_sources
    inner join close_scope
        on expected_sources.organization_id = close_scope.organization_id
    inner join {{ ref('stg_book__organizations') }} as organizations
        on expected_sources.organization_id = organizations.organization_id
    inner join open_usage
        on expected_sources.organization_id = open_usage.organization_id

),

asked as (

    select distinct
        sources.timezone,
        sources.cadence
    from sources

),

edges as (

    select
        asked.timezone,
        asked.cadence,
        local_days.started_at as from_at,
        local_days.local_date,
        0 as hour_number
    from asked
    inner join {{ ref('stg_time__local_days') }} as local_days
        on
            asked.timezone = local_days.timezone
            and (
                asked.cadence = 'daily'
                or (asked.cadence = 'weekly' and extract(isodow from local_days.local_date) = 1)
                or (asked.cadence = 'monthly' and extract(day from local_days.local_date) = 1)
            )

    union all

    select
        asked.timezone,
        asked.cadence,
        {{ add_seconds('local_days.started_at', 'hours.hour_number * 3600') }} as from_at,
        local_days.local_date,
        hours.hour_number
    from asked
    inner join {{ ref('stg_time__local_days') }} as local_days
        on
            asked.timezone = local_days.timezone
            and asked.cadence = 'hourly'
    cross join (
        values
        {% for hour in range(24) -%}
            ({{ hour }}){% if not loop.last %},{% endif %}
        {% endfor -%}
    ) as hours (hour_number)

),

intervals as (

    select
        edges.timezone,
        edges.cadence,
        edges.from_at,
        cast(cast(extract(year from edges.local_date) as integer) as varchar) as year_text,
        lpad(cast(cast(extract(month from edges.local_date) as integer) as varchar), 2, '0') as month_text,
        lpad(cast(cast(extract(day from edges.local_date) as integer) as varchar), 2, '0') as day_text,
        lpad(cast(edges.hour_number as varchar), 2, '0') as hour_text,
        lead(edges.from_at) over (partition by edges.timezone, edges.cadence order by edges.from_at) as to_at
    from edges

),

expected as (

    select
        sources.*,
        intervals.from_at,
        intervals.to_at,
        replace(
            replace(
                replace(
                    replace(sources.path_pattern, '{yyyy}', intervals.year_text), '{mm}', intervals.month_text
                ),
                '{dd}', intervals.day_text
            ),
            '{hh}', intervals.hour_text
        ) as interval_pattern
    from sources
    inner join intervals
        on
            sources.timezone = intervals.timezone
            and sources.cadence = intervals.cadence
            and sources.first_usage_at < intervals.to_at
            and sources.as_of > intervals.from_at

    union all

    select
        sources.*,
        sources.first_usage_at as from_at,
        sources.first_usage_at as to_at,
        sources.path_pattern as interval_pattern
    from sources
    where sources.cadence = 'once'

),

source_files as (

    select
        sources.organization_id,
        sources.expected_source,
        landed_files.file_id,
        '/' || landed_files.file_path as file_path,
        landed_files.landed_count,
        landed_files.rejected_count,
        landed_files.landed_at
    from sources
    inner join {{ ref('stg_events__landed_files') }} as landed_files
        on
            sources.known_batch_id >= landed_files.batch_id
            and '/' || landed_files.file_path like replace(
                replace(replace(replace(sources.path_pattern, '{yyyy}', '%'), '{mm}', '%'), '{dd}', '%'), '{hh}', '%'
            ) escape '!'

),

{# up to where the events of a source reach that does not name its intervals #}
watermarks as (

    select
        source_files.organization_id,
        source_files.expected_source,
        max(usage_events.event_at) as last_event_at
    from source_files
    inner join sources
        on
            source_files.organization_id = sources.organization_id
            and source_files.expected_source = sources.expected_source
            and not sources.is_named_by_interval
            and sources.cadence <> 'once'
    inner join {{ ref('stg_events__usage_events') }} as usage_events
        on source_files.file_id = usage_events.file_id
    group by source_files.organization_id, source_files.expected_source

),

found as (

    select
        expected.organization_id,
        expected.expected_source,
        expected.source_kind,
        expected.cadence,
        expected.from_at,
        expected.to_at,
        expected.as_of,
        {{ add_seconds('expected.to_at', 'expected.complete_within_seconds') }} as complete_by_at,
        expected.is_named_by_interval,
        watermarks.last_event_at,
        count(source_files.file_id) as files_count,
        cast(coalesce(sum(source_files.landed_count), 0) as bigint) as landed_events_count,
        cast(coalesce(sum(source_files.rejected_count), 0) as bigint) as rejected_lines_count,
        max(source_files.landed_at) as last_landed_at
    from expected
    left join source_files
        on
            expected.organization_id = source_files.organization_id
            and expected.expected_source = source_files.expected_source
            and source_files.file_path like expected.interval_pattern escape '!'
    left join watermarks
        on
            expected.organization_id = watermarks.organization_id
            and expected.expected_source = watermarks.expected_source
    group by
        expected.organization_id,
        expected.expected_source,
        expected.source_kind,
        expected.cadence,
        expected.from_at,
        expected.to_at,
        expected.as_of,
        expected.complete_within_seconds,
        expected.is_named_by_interval,
        watermarks.last_event_at

)

select
    found.organization_id,
    found.expected_source,
    found.source_kind,
    found.cadence,
    found.from_at,
    found.to_at,
    found.complete_by_at,
    case
        when
            case
                when found.is_named_by_interval or found.cadence = 'once' then found.files_count > 0
                else coalesce(found.last_event_at >= found.to_at, false)
            end
            then 'landed'
        when found.to_at > found.as_of then 'open'
        when found.complete_by_at > found.as_of then 'awaited'
        else 'overdue'
    end as completeness_state,
    found.files_count,
    found.landed_events_count,
    found.rejected_lines_count,
    found.last_event_at,
    found.last_landed_at
from found
