with

plans as (

    {{ known_records('plans', ['plan_code', 'effective_at']) }}

)

select
    plans.organization_id,
    plans.plan_code,
    plans.effective_at,
    plans.plan_name,
    plans.invoice_display_name,
    plans.plan_interval,
    plans.amount_cents,
    plans.amount_currency,
    plans.is_pay_in_advance,
    plans.bill_charges_monthly,
    plans.bill_fixed_charges_monthly,
    plans.trial_period_days,
    plans.minimum_commitment_amount_cents,
    plans.cascade_updates,
    plans.phases,
    plans.variant_of_plan_code,
    coalesce(plans.after_periods, 0) as after_periods,
    plans.agreed_external_customer_id,
    plans.agreed_from_at,
    plans.agreed_to_at,
    plans.position,
    plans.batch_id,
    plans.source_file,
    plans.source_line
from plans
