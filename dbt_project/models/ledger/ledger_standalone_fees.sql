with

fees as (

    select fees.*
    from {{ ref('int_standalone_fees_taxed') }} as fees
    left join {{ ref('gate_held_customers') }} as held
        on
            fees.organization_id = held.organization_id
            and fees.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('fees.close_id') }}

)

select
    fees.close_id,
    fees.fee_id,
    fees.organization_id,
    fees.external_customer_id,
    fees.external_subscription_id,
    fees.subscription_created_at,
    fees.subscription_name,
    fees.plan_code,
    fees.plan_effective_at,
    fees.base_plan_code,
    fees.purchase_order_number,
    fees.period_moment_id,
    fees.reason,
    fees.transaction_id,
    fees.made_at,
    fees.billing_date,
    fees.fee_code,
    fees.fee_name,
    cast(fees.fee_position as integer) as fee_position,
    cast(fees.filter_position as integer) as filter_position,
    fees.billable_metric_code,
    fees.charge_model,
    fees.filter_values,
    fees.group_values,
    fees.from_date,
    fees.to_date,
    fees.units,
    fees.events_count,
    fees.unit_price,
    fees.currency,
    cast(fees.currency_exponent as integer) as currency_exponent,
    fees.amount_cents,
    fees.precise_amount_cents,
    fees.taxes_rate,
    fees.taxes_amount_cents,
    fees.is_regrouped_when_paid,
    fees.timezone,
    fees.row_started_at,
    fees.has_previous_row,
    fees.full_started_at,
    fees.usage_from_at,
    fees.usage_to_at,
    fees.usage_from_date,
    cast(fees.usage_full_days_count as integer) as usage_full_days_count,
    cast(fees.usage_days_count as integer) as usage_days_count,
    fees.known_batch_id
from fees
