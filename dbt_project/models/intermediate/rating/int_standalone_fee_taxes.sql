with

fees as (

    select
        standalone.*,
        'charge' as fee_type
    from {{ ref('int_standalone_fees') }} as standalone

),

placed as (

    select
        fees.fee_id,
        fees.organization_id,
        fees.external_customer_id,
        fees.period_moment_id as moment_id,
        fees.fee_type,
        fees.fee_code,
        fees.fee_position,
        {{ fee_tax_owner('fees') }},
        cast(null as varchar) as invoice_id,
        fees.made_at as billing_at,
        fees.billing_date as issuing_date,
        fees.plan_code,
        fees.plan_effective_at
    from fees

),

one_offs as (

    select
        one_offs.moment_id,
        one_offs.request_id
    from {{ ref('int_one_off_moments') }} as one_offs

),

{{ taxes_of_placed_fees() }}
