{# The same source as stg_book__subscription_fixed_charge_units, of which that model keeps only the newest version. #}
select
    unit_changes.organization_id,
    unit_changes.external_subscription_id,
    unit_changes.created_at,
    unit_changes.fixed_charge_code,
    unit_changes.effective_at,
    unit_changes.units,
    unit_changes.batch_id
from {{ source('raw', 'subscription_fixed_charge_units') }} as unit_changes
