with

metered_charges as (

    select * from {{ ref('int_metered_charges') }}
    where moment_state = 'running'

),

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

priced as (

    select * from {{ ref('int_usage_priced') }}

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
    usage.usage_id,
    metered_charges.moment_id,
    metered_charges.organization_id,
    metered_charges.external_customer_id,
    metered_charges.external_subscription_id,
    metered_charges.charge_code,
    metered_charges.charge_name,
    buckets.filter_values,
    nullif(usage.group_values, '') as group_values,
    metered_charges.usage_from_date as from_date,
    metered_charges.usage_to_date as to_date,
    metered_charges.as_of,
    priced.full_units as units,
    priced.events_count,
    plan_versions.amount_currency as currency,
    {{ round_to_minor_units(
        converted_amount(
            'priced.amount', 'metered_charges.applied_pricing_unit_code', 'pricing_units.exponent',
            'metered_charges.pricing_unit_conversion_rate'
        ),
        'currencies.exponent'
    ) }} as amount_cents
from usage
inner join metered_charges
    on
        usage.moment_id = metered_charges.moment_id
        and usage.charge_code = metered_charges.charge_code
inner join priced
    on usage.usage_id = priced.point_id
inner join buckets
    on
        metered_charges.organization_id = buckets.organization_id
        and metered_charges.plan_code = buckets.plan_code
        and metered_charges.plan_effective_at = buckets.plan_effective_at
        and metered_charges.charge_code = buckets.charge_code
        and usage.filter_position = buckets.filter_position
inner join plan_versions
    on
        metered_charges.organization_id = plan_versions.organization_id
        and metered_charges.plan_code = plan_versions.plan_code
        and metered_charges.plan_effective_at = plan_versions.effective_at
left join pricing_units
    on
        metered_charges.organization_id = pricing_units.organization_id
        and metered_charges.applied_pricing_unit_code = pricing_units.pricing_unit_code
        and metered_charges.usage_from_at >= pricing_units.valid_from_at
        and metered_charges.usage_from_at < pricing_units.valid_to_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
