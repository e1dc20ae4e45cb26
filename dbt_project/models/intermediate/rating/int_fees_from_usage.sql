with

priced as (

    select * from {{ ref('int_usage_priced') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

moments as (

    select * from {{ ref('int_billing_moments') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

{# a line without units, amount and events is not kept: semantics/rating.md section 10 #}
kept as (

    select * from priced
    where priced.units <> 0 or priced.amount is null or priced.amount <> 0 or priced.events_count <> 0

)

select
    {{ surrogate_key(['kept.moment_id', "'charge'", 'kept.charge_code', 'metered_charges.filter_position', "''"]) }}
        as fee_id,
    kept.moment_id,
    'charge' as fee_type,
    kept.charge_code as fee_code,
    metered_charges.charge_name as fee_name,
    metered_charges.charge_position as fee_position,
    metered_charges.filter_position,
    metered_charges.billable_metric_code,
    metered_charges.charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    moments.from_date,
    moments.to_date,
    kept.units,
    kept.events_count,
    case when metered_charges.charge_model = 'standard' then metered_charges.unit_price end as unit_price,
    kept.amount,
    plan_versions.amount_currency as currency,
    currencies.exponent as currency_exponent,
    {{ round_to_minor_units('kept.amount', 'currencies.exponent') }} as amount_cents,
    {{ precise_minor_units('kept.amount', 'currencies.exponent') }} as precise_amount_cents
from kept
inner join metered_charges
    on
        kept.moment_id = metered_charges.moment_id
        and kept.charge_code = metered_charges.charge_code
inner join moments
    on kept.moment_id = moments.moment_id
inner join plan_versions
    on
        metered_charges.organization_id = plan_versions.organization_id
        and metered_charges.plan_code = plan_versions.plan_code
        and metered_charges.plan_effective_at = plan_versions.effective_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
