with

charge_group_keys as (

    {{ known_children('charge_group_keys', 'plans', ['plan_code', 'effective_at']) }}

)

select
    charge_group_keys.organization_id,
    charge_group_keys.plan_code,
    charge_group_keys.effective_at,
    charge_group_keys.charge_code,
    charge_group_keys.filter_position,
    charge_group_keys.key_position,
    charge_group_keys.group_key,
    charge_group_keys.batch_id
from charge_group_keys
