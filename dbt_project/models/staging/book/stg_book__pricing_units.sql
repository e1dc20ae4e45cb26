with

pricing_units as (

    {{ known_records('pricing_units', ['pricing_unit_code', 'effective_at']) }}

)

select
    pricing_units.organization_id,
    pricing_units.pricing_unit_code,
    pricing_units.effective_at,
    pricing_units.pricing_unit_name,
    pricing_units.exponent,
    pricing_units.batch_id,
    pricing_units.source_file,
    pricing_units.source_line
from pricing_units
