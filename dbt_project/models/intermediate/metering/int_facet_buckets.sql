with

metered_charges as (

    select distinct
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

{# the wildcard stands for the values that the metric lists, not for anything: semantics/rating.md section 8 #}
accepted_values as (

    select distinct
        metered_charges.organization_id,
        metered_charges.plan_code,
        metered_charges.plan_effective_at,
        metered_charges.charge_code,
        metered_charges.metric_effective_at,
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
        accepted_values.organization_id,
        accepted_values.plan_code,
        accepted_values.plan_effective_at,
        accepted_values.charge_code,
        accepted_values.metric_effective_at,
        accepted_values.filter_position,
        count(distinct accepted_values.filter_key) as keys_count,
        string_agg(
            distinct {{ json_string('accepted_values.filter_key') }},
            ',' order by {{ json_string('accepted_values.filter_key') }}
        ) as key_set,
        count(*) as values_count
    from accepted_values
    group by
        accepted_values.organization_id,
        accepted_values.plan_code,
        accepted_values.plan_effective_at,
        accepted_values.charge_code,
        accepted_values.metric_effective_at,
        accepted_values.filter_position

),

matched_keys as (

    select
        accepted_values.organization_id,
        accepted_values.plan_code,
        accepted_values.plan_effective_at,
        accepted_values.charge_code,
        accepted_values.metric_effective_at,
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
        accepted_values.organization_id,
        accepted_values.plan_code,
        accepted_values.plan_effective_at,
        accepted_values.charge_code,
        accepted_values.metric_effective_at,
        accepted_values.is_pay_in_advance,
        accepted_values.filter_position,
        facet_values.facets

),

filter_keys as (

    select distinct
        accepted_values.organization_id,
        accepted_values.plan_code,
        accepted_values.plan_effective_at,
        accepted_values.charge_code,
        accepted_values.metric_effective_at,
        accepted_values.filter_position,
        accepted_values.filter_key
    from accepted_values

),

{# filters that have all keys of another one and more #}
more_specific as (

    select
        wider.organization_id,
        wider.plan_code,
        wider.plan_effective_at,
        wider.charge_code,
        wider.metric_effective_at,
        wider.filter_position,
        narrower.filter_position as specific_position
    from filter_keys as wider
    inner join filter_keys as narrower
        on
            wider.organization_id = narrower.organization_id
            and wider.plan_code = narrower.plan_code
            and wider.plan_effective_at = narrower.plan_effective_at
            and wider.charge_code = narrower.charge_code
            and wider.metric_effective_at = narrower.metric_effective_at
            and wider.filter_key = narrower.filter_key
    inner join filter_sizes as wider_sizes
        on
            wider.organization_id = wider_sizes.organization_id
            and wider.plan_code = wider_sizes.plan_code
            and wider.plan_effective_at = wider_sizes.plan_effective_at
            and wider.charge_code = wider_sizes.charge_code
            and wider.metric_effective_at = wider_sizes.metric_effective_at
            and wider.filter_position = wider_sizes.filter_position
    inner join filter_sizes as narrower_sizes
        on
            narrower.organization_id = narrower_sizes.organization_id
            and narrower.plan_code = narrower_sizes.plan_code
            and narrower.plan_effective_at = narrower_sizes.plan_effective_at
            and narrower.charge_code = narrower_sizes.charge_code
            and narrower.metric_effective_at = narrower_sizes.metric_effective_at
            and narrower.filter_position = narrower_sizes.filter_position
    where narrower_sizes.keys_count > wider_sizes.keys_count
    group by
        wider.organization_id,
        wider.plan_code,
        wider.plan_effective_at,
        wider.charge_code,
        wider.metric_effective_at,
        wider.filter_position,
        narrower.filter_position,
        wider_sizes.keys_count
    having count(*) = wider_sizes.keys_count

),

{#
  Of matching filters with the same keys the narrower one takes the event, of identical ones the older. In advance there
  is one filter an event: the one with most keys, then the first of the catalogue (sections 7 and 8).
#}
matched as (

    select
        matched_keys.organization_id,
        matched_keys.plan_code,
        matched_keys.plan_effective_at,
        matched_keys.charge_code,
        matched_keys.metric_effective_at,
        matched_keys.is_pay_in_advance,
        matched_keys.filter_position,
        matched_keys.facets,
        row_number() over (
            partition by
                matched_keys.organization_id,
                matched_keys.plan_code,
                matched_keys.plan_effective_at,
                matched_keys.charge_code,
                matched_keys.metric_effective_at,
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
            matched_keys.organization_id = filter_sizes.organization_id
            and matched_keys.plan_code = filter_sizes.plan_code
            and matched_keys.plan_effective_at = filter_sizes.plan_effective_at
            and matched_keys.charge_code = filter_sizes.charge_code
            and matched_keys.metric_effective_at = filter_sizes.metric_effective_at
            and matched_keys.filter_position = filter_sizes.filter_position
            and matched_keys.matched_keys_count = filter_sizes.keys_count

),

{# a matching filter with all keys of another one and more takes the event from it #}
outdone as (

    select distinct
        matched.organization_id,
        matched.plan_code,
        matched.plan_effective_at,
        matched.charge_code,
        matched.metric_effective_at,
        matched.facets,
        matched.filter_position
    from matched
    inner join more_specific
        on
            matched.organization_id = more_specific.organization_id
            and matched.plan_code = more_specific.plan_code
            and matched.plan_effective_at = more_specific.plan_effective_at
            and matched.charge_code = more_specific.charge_code
            and matched.metric_effective_at = more_specific.metric_effective_at
            and matched.filter_position = more_specific.filter_position
    inner join matched as specific
        on
            matched.organization_id = specific.organization_id
            and matched.plan_code = specific.plan_code
            and matched.plan_effective_at = specific.plan_effective_at
            and matched.charge_code = specific.charge_code
            and matched.metric_effective_at = specific.metric_effective_at
            and matched.facets = specific.facets
            and more_specific.specific_position = specific.filter_position

),

{# filters whose keys differ both count an event that matches both #}
ranked as (

    select
        matched.*,
        row_number() over (
            partition by
                matched.organization_id,
                matched.plan_code,
                matched.plan_effective_at,
                matched.charge_code,
                matched.metric_effective_at,
                matched.facets
            order by matched.filter_position
        ) as bucket_number
    from matched
    left join outdone
        on
            matched.organization_id = outdone.organization_id
            and matched.plan_code = outdone.plan_code
            and matched.plan_effective_at = outdone.plan_effective_at
            and matched.charge_code = outdone.charge_code
            and matched.metric_effective_at = outdone.metric_effective_at
            and matched.facets = outdone.facets
            and matched.filter_position = outdone.filter_position
    where matched.preference = 1 and outdone.filter_position is null

),

placed as (

    select
        metered_charges.organization_id,
        metered_charges.plan_code,
        metered_charges.plan_effective_at,
        metered_charges.charge_code,
        metered_charges.metric_effective_at,
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
            metered_charges.organization_id = ranked.organization_id
            and metered_charges.plan_code = ranked.plan_code
            and metered_charges.plan_effective_at = ranked.plan_effective_at
            and metered_charges.charge_code = ranked.charge_code
            and metered_charges.metric_effective_at = ranked.metric_effective_at
            and facets.facets = ranked.facets

),

{# a missing and an empty value are one, the null group: section 9 #}
grouped as (

    select
        placed.organization_id,
        placed.plan_code,
        placed.plan_effective_at,
        placed.charge_code,
        placed.metric_effective_at,
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
        placed.organization_id,
        placed.plan_code,
        placed.plan_effective_at,
        placed.charge_code,
        placed.metric_effective_at,
        placed.facets,
        placed.filter_position

)

select
    placed.organization_id,
    placed.plan_code,
    placed.plan_effective_at,
    placed.charge_code,
    placed.metric_effective_at,
    placed.facets,
    cast(placed.filter_position as integer) as filter_position,
    {# an event of two buckets is read twice, and counted as one event by its first #}
    cast(placed.bucket_number as integer) as bucket_number,
    coalesce(grouped.group_values, '') as group_values
from placed
left join grouped
    on
        placed.organization_id = grouped.organization_id
        and placed.plan_code = grouped.plan_code
        and placed.plan_effective_at = grouped.plan_effective_at
        and placed.charge_code = grouped.charge_code
        and placed.metric_effective_at = grouped.metric_effective_at
        and placed.facets = grouped.facets
        and placed.filter_position = grouped.filter_position
