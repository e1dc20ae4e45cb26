with

subscription_fixed_charge_units as (

    {{ known_children('subscription_fixed_charge_units', 'subscriptions', ['external_subscription_id', 'created_at']) }}

)

select
    subscription_fixed_charge_units.organization_id,
    subscription_fixed_charge_units.external_subscription_id,
    subscription_fixed_charge_units.created_at,
    subscription_fixed_charge_units.fixed_charge_code,
    subscription_fixed_charge_units.effective_at,
    subscription_fixed_charge_units.units,
    subscription_fixed_charge_units.batch_id
from subscription_fixed_charge_units
