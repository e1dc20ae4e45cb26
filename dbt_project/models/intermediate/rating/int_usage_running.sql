with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where moment_state = 'running'

),

priced as (

    select * from {{ ref('int_usage_priced') }}
    where point_kind = 'usage'

),

projected as (

    select * from {{ ref('int_usage_priced') }}
    where point_kind = 'projected'

),

buckets as (

    select * from {{ ref('int_charge_buckets') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

pricing_units as (

    select * from {{ ref('int_pricing_unit_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

)

select
    priced.point_id as usage_id,
    charge_windows.moment_id,
    charge_windows.organization_id,
    charge_windows.external_customer_id,
    charge_windows.external_subscription_id,
    charge_windows.charge_code,
    charge_windows.charge_name,
    buckets.filter_values,
    nullif(priced.group_values, '') as group_values,
    charge_windows.usage_from_date as from_date,
    charge_windows.usage_to_date as to_date,
    charge_windows.as_of,
    priced.full_units as units,
    priced.events_count,
    projected.full_units as projected_units,
    plan_versions.amount_currency as currency,
    currencies.exponent as currency_exponent,
    {{ round_to_minor_units(
        converted_amount(
            'priced.amount', 'charge_windows.applied_pricing_unit_code', 'pricing_units.exponent',
            'charge_windows.pricing_unit_conversion_rate'
        ),
        'currencies.exponent'
    ) }} as amount_cents,
    {{ round_to_minor_units(
        converted_amount(
            'projected.amount', 'charge_windows.applied_pricing_unit_code', 'pricing_units.exponent',
            'charge_windows.pricing_unit_conversion_rate'
        ),
        'currencies.exponent'
    ) }} as projected_amount_cents
from priced
inner join charge_windows
    on
        priced.moment_id = charge_windows.moment_id
        and priced.charge_code = charge_windows.charge_code
inner join projected
    on priced.point_id || ' projected' = projected.point_id
inner join buckets
    on
        charge_windows.organization_id = buckets.organization_id
        and charge_windows.plan_code = buckets.plan_code
        and charge_windows.plan_effective_at = buckets.plan_effective_at
        and charge_windows.charge_code = buckets.charge_code
        and priced.filter_position = buckets.filter_position
inner join plan_versions
    on
        charge_windows.organization_id = plan_versions.organization_id
        and charge_windows.plan_code = plan_versions.plan_code
        and charge_windows.plan_effective_at = plan_versions.effective_at
left join pricing_units
    on
        charge_windows.organization_id = pricing_units.organization_id
        and charge_windows.applied_pricing_unit_code = pricing_units.pricing_unit_code
        and charge_windows.usage_from_at >= pricing_units.valid_from_at
        and charge_windows.usage_from_at < pricing_units.valid_to_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
