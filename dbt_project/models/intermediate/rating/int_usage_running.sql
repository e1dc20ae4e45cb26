with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'running'

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

priced as (

    select * from {{ ref('int_usage_priced') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

)

select
    moments.moment_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    metered_charges.charge_code,
    metered_charges.charge_name,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    moments.from_date,
    moments.to_date,
    moments.as_of,
    priced.units,
    priced.events_count,
    plan_versions.amount_currency as currency,
    {{ round_to_minor_units('priced.amount', 'currencies.exponent') }} as amount_cents
from moments
inner join metered_charges
    on moments.moment_id = metered_charges.moment_id
inner join priced
    on
        metered_charges.moment_id = priced.moment_id
        and metered_charges.charge_code = priced.charge_code
inner join plan_versions
    on
        metered_charges.organization_id = plan_versions.organization_id
        and metered_charges.plan_code = plan_versions.plan_code
        and metered_charges.plan_effective_at = plan_versions.effective_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
