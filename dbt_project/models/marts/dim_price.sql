with

plans as (

    select * from {{ ref('dim_plan') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

charge_filters as (

    select * from {{ ref('stg_book__charge_filters') }}

),

charge_ranges as (

    select * from {{ ref('stg_book__charge_ranges') }}

),

filter_keys as (

    select
        filter_values.organization_id,
        filter_values.plan_code,
        filter_values.effective_at,
        filter_values.charge_code,
        filter_values.filter_position,
        filter_values.key_position,
        filter_values.filter_key || ': '
        || {{ dbt.listagg(
            'filter_values.filter_value', "', '", 'order by filter_values.value_position'
        ) }} as key_text
    from {{ ref('stg_book__charge_filter_values') }} as filter_values
    group by
        filter_values.organization_id,
        filter_values.plan_code,
        filter_values.effective_at,
        filter_values.charge_code,
        filter_values.filter_position,
        filter_values.key_position,
        filter_values.filter_key

),

filter_texts as (

    select
        filter_keys.organization_id,
        filter_keys.plan_code,
        filter_keys.effective_at,
        filter_keys.charge_code,
        filter_keys.filter_position,
        {{ dbt.listagg(
            'filter_keys.key_text', "'; '", 'order by filter_keys.key_position'
        ) }} as filter_text
    from filter_keys
    group by
        filter_keys.organization_id,
        filter_keys.plan_code,
        filter_keys.effective_at,
        filter_keys.charge_code,
        filter_keys.filter_position

)

{# a bucket without ranges has one price #}
select
    plans.organization_id,
    plans.plan_code,
    plans.effective_at,
    charges.charge_code,
    charge_filters.filter_position,
    coalesce(charge_ranges.range_position, 1) as range_position,
    coalesce(charge_filters.invoice_display_name, charges.invoice_display_name) as price_name,
    charges.billable_metric_code,
    charges.charge_model,
    charges.is_pay_in_advance,
    charges.is_prorated,
    filter_texts.filter_text,
    plans.currency,
    coalesce(charge_ranges.per_unit_amount, charge_filters.amount) as unit_price,
    coalesce(charge_ranges.rate, charge_filters.rate) as percentage_rate,
    coalesce(charge_ranges.flat_amount, charge_filters.fixed_amount) as flat_amount,
    charge_ranges.from_value,
    charge_ranges.to_value,
    charge_filters.package_size,
    charge_filters.free_units,
    charge_filters.free_units_per_events,
    charge_filters.free_units_per_total_aggregation,
    charges.min_amount_cents,
    plans.valid_from_at,
    plans.valid_to_at,
    plans.is_current
from plans
inner join charges
    on
        plans.organization_id = charges.organization_id
        and plans.plan_code = charges.plan_code
        and plans.effective_at = charges.effective_at
inner join charge_filters
    on
        charges.organization_id = charge_filters.organization_id
        and charges.plan_code = charge_filters.plan_code
        and charges.effective_at = charge_filters.effective_at
        and charges.charge_code = charge_filters.charge_code
left join charge_ranges
    on
        charge_filters.organization_id = charge_ranges.organization_id
        and charge_filters.plan_code = charge_ranges.plan_code
        and charge_filters.effective_at = charge_ranges.effective_at
        and charge_filters.charge_code = charge_ranges.charge_code
        and charge_filters.filter_position = charge_ranges.filter_position
left join filter_texts
    on
        charge_filters.organization_id = filter_texts.organization_id
        and charge_filters.plan_code = filter_texts.plan_code
        and charge_filters.effective_at = filter_texts.effective_at
        and charge_filters.charge_code = filter_texts.charge_code
        and charge_filters.filter_position = filter_texts.filter_position
