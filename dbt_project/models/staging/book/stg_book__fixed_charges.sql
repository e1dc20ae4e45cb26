with

fixed_charges as (

    {{ known_children('fixed_charges', 'plans', ['plan_code', 'effective_at']) }}

)

select
    fixed_charges.organization_id,
    fixed_charges.plan_code,
    fixed_charges.effective_at,
    fixed_charges.fixed_charge_code,
    fixed_charges.position,
    fixed_charges.invoice_display_name,
    fixed_charges.add_on_code,
    fixed_charges.charge_model,
    fixed_charges.units,
    fixed_charges.is_pay_in_advance,
    fixed_charges.is_prorated,
    fixed_charges.amount,
    fixed_charges.batch_id
from fixed_charges
