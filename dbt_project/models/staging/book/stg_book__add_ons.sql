with

add_ons as (

    {{ known_records('add_ons', ['add_on_code', 'effective_at']) }}

)

select
    add_ons.organization_id,
    add_ons.add_on_code,
    add_ons.effective_at,
    add_ons.add_on_name,
    add_ons.amount_cents,
    add_ons.amount_currency,
    add_ons.batch_id,
    add_ons.source_file,
    add_ons.source_line
from add_ons
