with

charge_ranges as (

    {{ known_children('charge_ranges', 'plans', ['plan_code', 'effective_at']) }}

)

select
    charge_ranges.organization_id,
    charge_ranges.plan_code,
    charge_ranges.effective_at,
    charge_ranges.charge_code,
    charge_ranges.filter_position,
    charge_ranges.range_position,
    charge_ranges.from_value,
    charge_ranges.to_value,
    charge_ranges.per_unit_amount,
    charge_ranges.rate,
    charge_ranges.flat_amount,
    charge_ranges.batch_id
from charge_ranges
