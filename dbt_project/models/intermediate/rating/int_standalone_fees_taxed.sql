{%- set columns = [
    'fee_id', 'organization_id', 'external_customer_id', 'external_subscription_id', 'subscription_created_at',
    'subscription_name', 'plan_code', 'plan_effective_at', 'base_plan_code', 'purchase_order_number',
    'period_moment_id', 'reason', 'transaction_id', 'made_at', 'billing_date', 'fee_code', 'fee_name',
    'fee_position', 'filter_position', 'billable_metric_code', 'charge_model', 'filter_values', 'group_values',
    'from_date', 'to_date', 'units', 'events_count', 'unit_price', 'currency', 'currency_exponent',
    'amount_cents', 'precise_amount_cents', 'is_regrouped_when_paid', 'timezone', 'row_started_at',
    'has_previous_row', 'full_started_at', 'usage_from_at', 'usage_to_at', 'usage_from_date',
    'usage_full_days_count', 'usage_days_count', 'close_id', 'as_of', 'known_batch_id',
] -%}
{# a fee's own tax is rounded once over its rates; no coupon reaches it #}
with

fees as (

    select * from {{ ref('int_standalone_fees') }}

),

tax_rates as (

    select
        fee_taxes.fee_id,
        cast(sum(fee_taxes.tax_rate) as decimal(21, 12)) as taxes_rate
    from {{ ref('int_standalone_fee_taxes') }} as fee_taxes
    group by fee_taxes.fee_id

)

select
    {% for column in columns %}
        fees.{{ column }},
    {% endfor %}
    cast(coalesce(tax_rates.taxes_rate, 0) as decimal(21, 12)) as taxes_rate,
    cast(
        {{ divide_half_away(
            cents_to_e5('fees.amount_cents') ~ ' * '
            ~ scaled_percent('cast(coalesce(tax_rates.taxes_rate, 0) as decimal(21, 12))'),
            power_of_ten(19)
        ) }} as bigint
    ) as taxes_amount_cents
from fees
left join tax_rates
    on fees.fee_id = tax_rates.fee_id
