with

add_on_taxes as (

    {{ known_children('add_on_taxes', 'add_ons', ['add_on_code', 'effective_at']) }}

)

select
    add_on_taxes.organization_id,
    add_on_taxes.add_on_code,
    add_on_taxes.effective_at,
    add_on_taxes.position,
    add_on_taxes.tax_code,
    add_on_taxes.batch_id
from add_on_taxes
