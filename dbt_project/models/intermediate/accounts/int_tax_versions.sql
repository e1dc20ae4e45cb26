with

taxes as (

    select * from {{ ref('stg_book__taxes') }}

),

dated as (

    select
        taxes.organization_id,
        taxes.tax_code,
        taxes.tax_name,
        taxes.tax_rate,
        taxes.applied_to_organization,
        taxes.effective_at as valid_from_at,
        coalesce(
            lead(taxes.effective_at) over (
                partition by taxes.organization_id, taxes.tax_code
                order by taxes.effective_at
            ),
            {{ end_of_time() }}
        ) as valid_to_at
    from taxes

)

select * from dated
