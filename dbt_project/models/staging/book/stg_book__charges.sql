with

charges as (

    {{ known_children('charges', 'plans', ['plan_code', 'effective_at']) }}

)

select
    charges.organization_id,
    charges.plan_code,
    charges.effective_at,
    charges.charge_code,
    charges.position,
    charges.invoice_display_name,
    charges.billable_metric_code,
    charges.charge_model,
    charges.is_pay_in_advance,
    charges.is_invoiceable,
    charges.is_prorated,
    charges.min_amount_cents,
    charges.regroup_paid_fees,
    charges.applied_pricing_unit_code,
    charges.pricing_unit_conversion_rate,
    charges.batch_id
from charges
