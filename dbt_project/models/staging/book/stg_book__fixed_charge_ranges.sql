with

fixed_charge_ranges as (

    {{ known_children('fixed_charge_ranges', 'plans', ['plan_code', 'effective_at']) }}

)

select
    fixed_charge_ranges.organization_id,
    fixed_charge_ranges.plan_code,
    fixed_charge_ranges.effective_at,
    fixed_charge_ranges.fixed_charge_code,
    fixed_charge_ranges.range_position,
    fixed_charge_ranges.from_value,
    fixed_charge_ranges.to_value,
    fixed_charge_ranges.per_unit_amount,
    fixed_charge_ranges.flat_amount,
    fixed_charge_ranges.batch_id
from fixed_charge_ranges
