{%- set measuring = "'sum_agg', 'max_agg', 'latest_agg', 'weighted_sum_agg'" -%}
with

{# what all charges on the code read of an event: one property at most, or none in particular when they differ #}
read_codes as (

    select
        places.place_number,
        metered_charges.organization_id,
        metered_charges.event_code,
        case
            when min(metered_charges.field_name) = max(metered_charges.field_name) then min(metered_charges.field_name)
        end as measured_field,
        min(
            case when metered_charges.aggregation_type in ({{ measuring }}) then 1 else 0 end
        ) = 1 as is_measured,
        max(case when metered_charges.aggregation_type = 'unique_count_agg' then 1 else 0 end) = 1 as is_unique_counted,
        max(case when metered_charges.aggregation_type = 'latest_agg' then 1 else 0 end) = 1 as is_latest_read,
        max(
            case when metered_charges.aggregation_type = 'weighted_sum_agg' then {{ level_end('places.to_at') }} end
        ) as level_ends_at
    from {{ ref('int_metered_charges') }} as metered_charges
    inner join {{ ref('int_event_places') }} as places
        on metered_charges.moment_id = places.moment_id
    group by places.place_number, metered_charges.organization_id, metered_charges.event_code

),

facet_keys as (

    select
        facet_keys.organization_id,
        facet_keys.event_code,
        '[' || string_agg(
            {{ json_string('facet_keys.facet_key') }}, ',' order by facet_keys.facet_position
        ) || ']' as facet_keys
    from {{ ref('int_facet_keys') }} as facet_keys
    group by facet_keys.organization_id, facet_keys.event_code

)

select
    read_codes.place_number,
    read_codes.organization_id,
    read_codes.event_code,
    read_codes.measured_field,
    read_codes.is_measured,
    read_codes.is_unique_counted,
    read_codes.is_latest_read,
    read_codes.level_ends_at,
    max(layouts.layout_id) as layout_id
from read_codes
left join facet_keys
    on
        read_codes.organization_id = facet_keys.organization_id
        and read_codes.event_code = facet_keys.event_code
left join {{ ref('stg_events__event_layouts') }} as layouts
    on
        read_codes.organization_id = layouts.organization_id
        and read_codes.event_code = layouts.event_code
        and coalesce(read_codes.measured_field, layouts.measured_field, '') = coalesce(layouts.measured_field, '')
        and coalesce(facet_keys.facet_keys, '[]') = layouts.facet_keys
        and (layouts.is_counted or not read_codes.is_unique_counted)
group by
    read_codes.place_number,
    read_codes.organization_id,
    read_codes.event_code,
    read_codes.measured_field,
    read_codes.is_measured,
    read_codes.is_unique_counted,
    read_codes.is_latest_read,
    read_codes.level_ends_at
