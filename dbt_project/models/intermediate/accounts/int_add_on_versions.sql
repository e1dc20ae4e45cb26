with

add_ons as (

    select * from {{ ref('stg_book__add_ons') }}

)

select
    add_ons.organization_id,
    add_ons.add_on_code,
    add_ons.effective_at,
    add_ons.add_on_name,
    add_ons.amount_cents,
    add_ons.amount_currency,
    add_ons.effective_at as valid_from_at,
    coalesce(
        lead(add_ons.effective_at) over (
            partition by add_ons.organization_id, add_ons.add_on_code
            order by add_ons.effective_at
        ),
        {{ end_of_time() }}
    ) as valid_to_at
from add_ons
