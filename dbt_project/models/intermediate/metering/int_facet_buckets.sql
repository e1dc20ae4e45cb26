with

metered_charges as (

    select distinct
        metered_charges.metered_charge_id,
        metered_charges.organization_id,
        metered_charges.plan_code,
        metered_charges.plan_effective_at,
        metered_charges.charge_code,
        metered_charges.is_pay_in_advance,
        metered_charges.billable_metric_code,
        metered_charges.metric_effective_at,
        metered_charges.event_code
    from {{ ref('int_metered_charges') }} as metered_charges

),

filter_values as (

    select * from {{ ref('stg_book__charge_filter_values') }}

),

metric_values as (

    select * from {{ ref('stg_book__billable_metric_filter_values') }}

),

group_keys as (

    select * from {{ ref('stg_book__charge_group_keys') }}

),

facets as (

    select distinct
        totals.organization_id,
        totals.code as event_code,
        totals.facets
    from {{ ref('int_event_totals') }} as totals
    where totals.facets is not null

    union distinct

    select
        versions.organization_id,
        versions.code as event_code,
        versions.facets
    from {{ ref('int_late_versions') }} as versions
    where versions.facets is not null

),

facet_values as (

    select
        facets.organization_id,
        facets.event_code,
        facets.facets,
        facet_keys.facet_key,
        {{ json_element('facets.facets', 'facet_keys.facet_position') }} as facet_value
    from facets
    inner join {{ ref('int_facet_keys') }} as facet_keys
        on
            facets.organization_id = facet_keys.organization_id
            and facets.event_code = facet_keys.event_code

),

{# the wildcard stands for the values that the metric lists, not for anything: docs/billing-rules.md, Usage #}
accepted_values as (

    select distinct
        metered_charges.metered_charge_id,
        metered_charges.organization_id,
        metered_charges.event_code,
        metered_charges.is_pay_in_advance,
        filter_values.filter_position,
        filter_values.filter_key,
        case
            when filter_values.filter_value = '__ALL_FILTER_VALUES__' then metric_values.filter_value
            else filter_values.filter_value
        end as filter_value
    from metered_charges
    inner join filter_values
        on
            metered_charges.organization_id = filter_values.organization_id
            and metered_charges.plan_code = filter_values.plan_code
            and metered_charges.plan_effective_at = filter_values.effective_at
            and metered_charges.charge_code = filter_values.charge_code
    left join metric_values
        on
            filter_values.filter_value = '__ALL_FILTER_VALUES__'
            and metered_charges.organization_id = metric_values.organization_id
            and metered_charges.billable_metric_code = metric_values.billable_metric_code
            and metered_charges.metric_effective_at = metric_values.effective_at
            and filter_values.filter_key = metric_values.filter_key

),

filter_sizes as (

    select
        accepted_values.metered_charge_id,
        accepted_values.filter_position,
        count(distinct accepted_values.filter_key) as keys_count,
        string_agg(
            distinct {{ json_string('accepted_values.filter_key') }},
            ',' order by {{ json_string('accepted_values.filter_key') }}
        ) as key_set,
        count(*) as values_count
    from accepted_values
    group by
        accepted_values.metered_charge_id,
        accepted_values.filter_position

),

matched_keys as (

    select
        accepted_values.metered_charge_id,
        accepted_values.is_pay_in_advance,
        accepted_values.filter_position,
        facet_values.facets,
        count(distinct accepted_values.filter_key) as matched_keys_count
    from accepted_values
    inner join facet_values
        on
            accepted_values.organization_id = facet_values.organization_id
            and accepted_values.event_code = facet_values.event_code
            and accepted_values.filter_key = facet_values.facet_key
            and accepted_values.filter_value = facet_values.facet_value
    group by
        accepted_values.metered_charge_id,
        accepted_values.is_pay_in_advance,
        accepted_values.filter_position,
        facet_values.facets

),

filter_keys as (

    select distinct
        accepted_values.metered_charge_id,
        accepted_values.filter_position,
        accepted_values.filter_key
    from accepted_values

),

{# filters that have all keys of another one and more #}
more_specific as (

    select
        wider.metered_charge_id,
        wider.filter_position,
        narrower.filter_position as specific_position
    from filter_keys as wider
    inner join filter_keys as narrower
        on
            wider.metered_charge_id = narrower.metered_charge_id
            and wider.filter_key = narrower.filter_key
    inner join filter_sizes as wider_sizes
        on
            wider.metered_charge_id = wider_sizes.metered_charge_id
            and wider.filter_position = wider_sizes.filter_position
    inner join filter_sizes as narrower_sizes
        on
            narrower.metered_charge_id = narrower_sizes.metered_charge_id
            and narrower.filter_position = narrower_sizes.filter_position
    where narrower_sizes.keys_count > wider_sizes.keys_count
    group by
        wider.metered_charge_id,
        wider.filter_position,
        narrower.filter_position,
        wider_sizes.keys_count
    having count(*) = wider_sizes.keys_count

),

{#
  Of matching filters with the same keys the narrower one takes the event, of identical ones the older. In advance there
  is one filter an event: the one with most keys, then the first of the catalogue.
#}
matched as (

    select
        matched_keys.metered_charge_id,
        matched_keys.is_pay_in_advance,
        matched_keys.filter_position,
        matched_keys.facets,
        row_number() over (
            partition by
                matched_keys.metered_charge_id,
                matched_keys.facets,
                case when matched_keys.is_pay_in_advance then '' else filter_sizes.key_set end
            order by
                filter_sizes.keys_count desc,
                case when matched_keys.is_pay_in_advance then 0 else filter_sizes.values_count end asc,
                matched_keys.filter_position asc
        ) as preference
    from matched_keys
    inner join filter_sizes
        on
            matched_keys.metered_charge_id = filter_sizes.metered_charge_id
            and matched_keys.filter_position = filter_sizes.filter_position
            and matched_keys.matched_keys_count = filter_sizes.keys_count

),

{# a matching filter with all keys of another one and more takes the event from it #}
outdone as (

    select distinct
        matched.metered_charge_id,
        matched.facets,
        matched.filter_position
    from matched
    inner join more_specific
        on
            matched.metered_charge_id = more_specific.metered_charge_id
            and matched.filter_position = more_specific.filter_position
    inner join matched as specific
        on
            matched.metered_charge_id = specific.metered_charge_id
            and matched.facets = specific.facets
            and more_specific.specific_position = specific.filter_position

),

{# filters whose keys differ both count an event that matches both #}
ranked as (

    select
        matched.*,
        row_number() over (
            partition by
                matched.metered_charge_id,
                matched.facets
            order by matched.filter_position
        ) as bucket_number
    from matched
    left join outdone
        on
            matched.metered_charge_id = outdone.metered_charge_id
            and matched.facets = outdone.facets
            and matched.filter_position = outdone.filter_position
    where matched.preference = 1 and outdone.filter_position is null

),

placed as (

    select
        metered_charges.metered_charge_id,
        metered_charges.organization_id,
        metered_charges.plan_code,
        metered_charges.plan_effective_at,
        metered_charges.charge_code,
        metered_charges.event_code,
        facets.facets,
        coalesce(ranked.filter_position, 0) as filter_position,
        coalesce(ranked.bucket_number, 1) as bucket_number
    from metered_charges
    inner join facets
        on
            metered_charges.organization_id = facets.organization_id
            and metered_charges.event_code = facets.event_code
    left join ranked
        on
            metered_charges.metered_charge_id = ranked.metered_charge_id
            and facets.facets = ranked.facets

),

{# a missing and an empty value are one, the null group #}
grouped as (

    select
        placed.metered_charge_id,
        placed.facets,
        placed.filter_position,
        '{' || string_agg(
            {{ json_string('group_keys.group_key') }} || ': '
            || coalesce({{ json_string("nullif(facet_values.facet_value, '')") }}, 'null'),
            ', ' order by group_keys.key_position
        ) || '}' as group_values
    from placed
    inner join group_keys
        on
            placed.organization_id = group_keys.organization_id
            and placed.plan_code = group_keys.plan_code
            and placed.plan_effective_at = group_keys.effective_at
            and placed.charge_code = group_keys.charge_code
            and placed.filter_position = group_keys.filter_position
    inner join facet_values
        on
            placed.organization_id = facet_values.organization_id
            and placed.event_code = facet_values.event_code
            and placed.facets = facet_values.facets
            and group_keys.group_key = facet_values.facet_key
    group by
        placed.metered_charge_id,
        placed.facets,
        placed.filter_position

)

select
    placed.metered_charge_id,
    placed.facets,
    cast(placed.filter_position as integer) as filter_position,
    {# an event of two buckets is read twice, and counted as one event by its first #}
    cast(placed.bucket_number as integer) as bucket_number,
    coalesce(grouped.group_values, '') as group_values
from placed
left join grouped
    on
        placed.metered_charge_id = grouped.metered_charge_id
        and placed.facets = grouped.facets
        and placed.filter_position = grouped.filter_position
