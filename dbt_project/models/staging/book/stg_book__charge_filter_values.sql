with

charge_filter_values as (

    {{ known_children('charge_filter_values', 'plans', ['plan_code', 'effective_at']) }}

)

select
    charge_filter_values.organization_id,
    charge_filter_values.plan_code,
    charge_filter_values.effective_at,
    charge_filter_values.charge_code,
    charge_filter_values.filter_position,
    charge_filter_values.key_position,
    charge_filter_values.filter_key,
    charge_filter_values.value_position,
    charge_filter_values.filter_value,
    charge_filter_values.batch_id
from charge_filter_values
