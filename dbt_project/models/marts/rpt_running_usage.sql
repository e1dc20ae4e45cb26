with

running as (

    select * from {{ ref('int_usage_running') }}

)

select
    running.usage_id,
    running.organization_id,
    running.external_customer_id,
    running.external_subscription_id,
    running.charge_code,
    running.charge_name,
    running.filter_values,
    running.group_values,
    running.from_date,
    running.to_date,
    running.as_of,
    running.units,
    running.projected_units,
    running.events_count,
    running.currency,
    running.currency_exponent,
    running.amount_cents,
    running.projected_amount_cents
from running
