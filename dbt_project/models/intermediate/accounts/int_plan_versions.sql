with

plans as (

    select * from {{ ref('stg_book__plans') }}

),

dated as (

    select
        plans.organization_id,
        plans.plan_code,
        plans.effective_at,
        plans.plan_name,
        plans.invoice_display_name,
        plans.plan_interval,
        plans.amount_cents,
        plans.amount_currency,
        plans.is_pay_in_advance,
        plans.bill_charges_monthly and plans.plan_interval in ('semiannual', 'yearly') as is_usage_billed_monthly,
        plans.bill_fixed_charges_monthly and plans.plan_interval in ('semiannual', 'yearly')
            as is_fixed_billed_monthly,
        plans.trial_period_days,
        plans.minimum_commitment_amount_cents,
        plans.cascade_updates,
        row_number() over (
            partition by plans.organization_id, plans.plan_code
            order by plans.effective_at
        ) as version_number,
        plans.effective_at as valid_from_at,
        coalesce(
            lead(plans.effective_at) over (
                partition by plans.organization_id, plans.plan_code
                order by plans.effective_at
            ),
            {{ end_of_time() }}
        ) as valid_to_at
    from plans

)

select * from dated
