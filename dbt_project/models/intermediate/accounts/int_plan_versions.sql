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
