with

pricing_units as (

    select * from {{ ref('stg_book__pricing_units') }}

)

select
    pricing_units.organization_id,
    pricing_units.pricing_unit_code,
    pricing_units.pricing_unit_name,
    pricing_units.exponent,
    pricing_units.effective_at as valid_from_at,
    coalesce(
        lead(pricing_units.effective_at) over (
            partition by pricing_units.organization_id, pricing_units.pricing_unit_code
            order by pricing_units.effective_at
        ),
        {{ end_of_time() }}
    ) as valid_to_at
from pricing_units
