{#
  The versions of corrected events with their facets: a period at another time (restated, or so far, where a threshold may
  be reached) reads the version that was known then, in place of the one that is billed.
#}
with

facet_keys as (

    select
        facet_keys.organization_id,
        facet_keys.event_code,
        array_agg(facet_keys.facet_key order by facet_keys.facet_position) as facet_keys
    from {{ ref('int_facet_keys') }} as facet_keys
    group by facet_keys.organization_id, facet_keys.event_code

)

select
    versions.organization_id,
    versions.external_subscription_id,
    versions.transaction_id,
    versions.version_number,
    versions.code,
    versions.event_at,
    versions.received_at,
    versions.known_at,
    versions.superseded_at,
    versions.batch_id,
    versions.superseded_batch_id,
    versions.is_billed_version,
    versions.properties,
    case
        when facet_keys.facet_keys is not null
            then {{ json_pick('versions.properties', 'facet_keys.facet_keys') }}
    end as facets,
    versions.precise_total_amount_cents,
    versions.moment_id
from {{ ref('int_event_versions') }} as versions
left join facet_keys
    on
        versions.organization_id = facet_keys.organization_id
        and versions.code = facet_keys.event_code
where not versions.is_cancelled
