with

taxes as (

    {{ known_records('taxes', ['tax_code', 'effective_at']) }}

)

select
    taxes.organization_id,
    taxes.tax_code,
    taxes.effective_at,
    taxes.tax_name,
    taxes.tax_rate,
    taxes.applied_to_organization,
    taxes.batch_id,
    taxes.source_file,
    taxes.source_line
from taxes
