with

metered_charges as (

    select distinct
        metered_charges.organization_id,
        metered_charges.plan_code,
        metered_charges.plan_effective_at,
        metered_charges.charge_code,
        metered_charges.event_code
    from {{ ref('int_metered_charges') }} as metered_charges

),

{# the properties that decide the bucket or the group of an event #}
named as (

    select
        metered_charges.organization_id,
        metered_charges.event_code,
        filter_values.filter_key as facet_key
    from metered_charges
    inner join {{ ref('stg_book__charge_filter_values') }} as filter_values
        on
            metered_charges.organization_id = filter_values.organization_id
            and metered_charges.plan_code = filter_values.plan_code
            and metered_charges.plan_effective_at = filter_values.effective_at
            and metered_charges.charge_code = filter_values.charge_code

    union distinct

    select
        metered_charges.organization_id,
        metered_charges.event_code,
        group_keys.group_key as facet_key
    from metered_charges
    inner join {{ ref('stg_book__charge_group_keys') }} as group_keys
        on
            metered_charges.organization_id = group_keys.organization_id
            and metered_charges.plan_code = group_keys.plan_code
            and metered_charges.plan_effective_at = group_keys.effective_at
            and metered_charges.charge_code = group_keys.charge_code

)

select
    named.organization_id,
    named.event_code,
    named.facet_key,
    cast(
        row_number() over (
            partition by named.organization_id, named.event_code
            order by {{ binary_order('named.facet_key') }}
        ) as integer
    ) as facet_position
from named
