with

charge_filters as (

    select * from {{ ref('stg_book__charge_filters') }}

),

group_keys as (

    select
        group_keys.organization_id,
        group_keys.plan_code,
        group_keys.effective_at,
        group_keys.charge_code,
        group_keys.filter_position,
        {# the group of usage that has none of the keys: docs/billing-rules.md, Usage #}
        '{' || string_agg(
            {{ json_string('group_keys.group_key') }} || ': null', ', ' order by group_keys.key_position
        ) || '}' as null_group_values
    from {{ ref('stg_book__charge_group_keys') }} as group_keys
    group by
        group_keys.organization_id,
        group_keys.plan_code,
        group_keys.effective_at,
        group_keys.charge_code,
        group_keys.filter_position

)

select
    charge_filters.organization_id,
    charge_filters.plan_code,
    charge_filters.effective_at as plan_effective_at,
    charge_filters.charge_code,
    charge_filters.filter_position,
    charge_filters.invoice_display_name as filter_name,
    charge_filters.filter_values,
    coalesce(group_keys.null_group_values, '') as null_group_values,
    charge_filters.amount as unit_price,
    charge_filters.rate,
    coalesce(charge_filters.fixed_amount, 0) as fixed_amount,
    charge_filters.package_size,
    coalesce(charge_filters.free_units, 0) as free_units,
    nullif(charge_filters.free_units_per_events, 0) as free_events,
    nullif(charge_filters.free_units_per_total_aggregation, 0) as free_total,
    charge_filters.per_transaction_min_amount as event_min_amount,
    charge_filters.per_transaction_max_amount as event_max_amount,
    nullif(charge_filters.free_units_per_events, 0) is not null
    or nullif(charge_filters.free_units_per_total_aggregation, 0) is not null as has_free_allowance,
    charge_filters.per_transaction_min_amount is not null
    or charge_filters.per_transaction_max_amount is not null as has_event_limits
from charge_filters
left join group_keys
    on
        charge_filters.organization_id = group_keys.organization_id
        and charge_filters.plan_code = group_keys.plan_code
        and charge_filters.effective_at = group_keys.effective_at
        and charge_filters.charge_code = group_keys.charge_code
        and charge_filters.filter_position = group_keys.filter_position
