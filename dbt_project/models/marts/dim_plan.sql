with

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

plans as (

    select * from {{ ref('stg_book__plans') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

private_copies as (

    select
        subscriptions.organization_id,
        subscriptions.plan_code,
        min(subscriptions.base_plan_code) as base_plan_code
    from {{ ref('stg_book__subscriptions') }} as subscriptions
    where subscriptions.base_plan_code is not null
    group by subscriptions.organization_id, subscriptions.plan_code

),

charge_counts as (

    select
        charges.organization_id,
        charges.plan_code,
        charges.effective_at,
        count(*) as charges_count
    from {{ ref('stg_book__charges') }} as charges
    group by charges.organization_id, charges.plan_code, charges.effective_at

)

select
    plan_versions.organization_id,
    plan_versions.plan_code,
    plan_versions.effective_at,
    cast(
        row_number() over (
            partition by plan_versions.organization_id, plan_versions.plan_code
            order by plan_versions.effective_at
        ) as integer
    ) as version_number,
    plan_versions.plan_name,
    plan_versions.invoice_display_name,
    coalesce(private_copies.base_plan_code, plan_versions.plan_code) as base_plan_code,
    private_copies.plan_code is not null as is_private_copy,
    plan_versions.plan_interval,
    plan_versions.amount_cents,
    plan_versions.amount_currency as currency,
    currencies.exponent as currency_exponent,
    plans.is_pay_in_advance,
    plans.trial_period_days,
    plans.minimum_commitment_amount_cents,
    coalesce(charge_counts.charges_count, 0) as charges_count,
    plan_versions.valid_from_at,
    plan_versions.valid_to_at,
    plan_versions.valid_to_at = {{ end_of_time() }} as is_current
from plan_versions
inner join plans
    on
        plan_versions.organization_id = plans.organization_id
        and plan_versions.plan_code = plans.plan_code
        and plan_versions.effective_at = plans.effective_at
left join currencies
    on plan_versions.amount_currency = currencies.currency_code
left join private_copies
    on
        plan_versions.organization_id = private_copies.organization_id
        and plan_versions.plan_code = private_copies.plan_code
left join charge_counts
    on
        plan_versions.organization_id = charge_counts.organization_id
        and plan_versions.plan_code = charge_counts.plan_code
        and plan_versions.effective_at = charge_counts.effective_at
