with

plan_taxes as (

    {{ known_children('plan_taxes', 'plans', ['plan_code', 'effective_at']) }}

)

select
    plan_taxes.organization_id,
    plan_taxes.plan_code,
    plan_taxes.effective_at,
    plan_taxes.owner_type,
    plan_taxes.owner_code,
    plan_taxes.position,
    plan_taxes.tax_code,
    plan_taxes.batch_id
from plan_taxes
