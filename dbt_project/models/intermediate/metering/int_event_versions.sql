{#
  What corrections make of events. A version counts for a period when it was known before the period was billed; from the
  first correction on that came too late, the event is billed as it was, and what is known better is a difference
  (int_restatements).
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

corrections as (

    select corrections.*
    from {{ ref('stg_book__event_corrections') }} as corrections
    inner join close_scope
        on
            corrections.organization_id = close_scope.organization_id
            and corrections.created_at <= close_scope.as_of

),

corrected_events as (

    select distinct
        corrections.organization_id,
        corrections.external_subscription_id,
        corrections.transaction_id
    from corrections

),

landed as (

    select
        usage_events.*,
        coalesce(usage_events.received_at, usage_events.event_at) as arrived_at
    from {{ ref('stg_events__usage_events') }} as usage_events
    inner join corrected_events
        on
            usage_events.organization_id = corrected_events.organization_id
            and usage_events.external_subscription_id = corrected_events.external_subscription_id
            and usage_events.transaction_id = corrected_events.transaction_id
    inner join close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

versions as (

    select
        landed.organization_id,
        landed.external_subscription_id,
        landed.transaction_id,
        0 as version_number,
        cast(null as varchar) as event_correction_id,
        cast(null as varchar) as action,
        landed.code,
        landed.event_at,
        landed.arrived_at as received_at,
        landed.arrived_at as known_at,
        landed.properties,
        landed.precise_total_amount_cents,
        landed.batch_id,
        landed.file_id,
        landed.line_number
    from landed

    union all

    select
        landed.organization_id,
        landed.external_subscription_id,
        landed.transaction_id,
        cast(
            row_number() over (
                partition by landed.organization_id, landed.external_subscription_id, landed.transaction_id
                order by
                    corrections.created_at, corrections.batch_id, corrections.position, corrections.event_correction_id
            ) as integer
        ) as version_number,
        corrections.event_correction_id,
        corrections.action,
        coalesce(corrections.code, landed.code) as code,
        coalesce(corrections.event_at, landed.event_at) as event_at,
        landed.arrived_at as received_at,
        greatest(corrections.created_at, landed.arrived_at) as known_at,
        coalesce(corrections.properties, landed.properties) as properties,
        case
            when corrections.action = 'replace' then corrections.precise_total_amount_cents
            else landed.precise_total_amount_cents
        end as precise_total_amount_cents,
        greatest(corrections.batch_id, landed.batch_id) as batch_id,
        landed.file_id,
        landed.line_number
    from landed
    inner join corrections
        on
            landed.organization_id = corrections.organization_id
            and landed.external_subscription_id = corrections.external_subscription_id
            and landed.transaction_id = corrections.transaction_id

),

placed as (

    select
        versions.*,
        moments.moment_id,
        moments.moment_state,
        moments.known_batch_id,
        greatest(moments.finalizes_at, moments.usage_to_at) as billed_at
    from versions
    left join moments
        on
            versions.organization_id = moments.organization_id
            and versions.external_subscription_id = moments.external_subscription_id
            and versions.event_at >= moments.usage_from_at
            and versions.event_at < moments.usage_to_at

),

{# a correction is in time when the version that it changes was not billed yet #}
compared as (

    select
        placed.*,
        case
            when placed.version_number = 0 or lag(placed.moment_id) over (versions_of_event) is null then 1
            when placed.known_at >= lag(placed.billed_at) over (versions_of_event) then 0
            when
                lag(placed.moment_state) over (versions_of_event) = 'finalized'
                and placed.batch_id > lag(placed.known_batch_id) over (versions_of_event)
                then 0
            else 1
        end as is_in_time,
        lead(placed.known_at) over (versions_of_event) as superseded_at,
        lead(placed.batch_id) over (versions_of_event) as superseded_batch_id
    from placed
    window versions_of_event as (
        partition by placed.organization_id, placed.external_subscription_id, placed.transaction_id
        order by placed.version_number
    )

),

chained as (

    select
        compared.*,
        min(compared.is_in_time) over (
            partition by compared.organization_id, compared.external_subscription_id, compared.transaction_id
            order by compared.version_number
        ) = 0 as is_late
    from compared

)

select
    chained.organization_id,
    chained.external_subscription_id,
    chained.transaction_id,
    chained.version_number,
    chained.event_correction_id,
    coalesce(chained.action = 'cancel', false) as is_cancelled,
    chained.code,
    chained.event_at,
    chained.received_at,
    chained.known_at,
    chained.superseded_at,
    chained.superseded_batch_id,
    chained.properties,
    chained.precise_total_amount_cents,
    chained.batch_id,
    chained.file_id,
    chained.line_number,
    chained.moment_id,
    chained.is_late,
    not chained.is_late
    and coalesce(
        lead(chained.is_late) over (
            partition by chained.organization_id, chained.external_subscription_id, chained.transaction_id
            order by chained.version_number
        ), true
    ) as is_billed_version
from chained
