{%- set columns = [
    'fee_id', 'moment_id', 'fee_type', 'fee_code', 'fee_name', 'fee_position', 'filter_position',
    'billable_metric_code', 'charge_model', 'filter_values', 'group_values', 'from_date', 'to_date', 'units',
    'events_count', 'unit_price', 'currency', 'currency_exponent', 'amount_cents', 'precise_amount_cents',
] -%}
with

fees as (

    select
        {% for column in columns %}
            plan_fees.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from {{ ref('int_fees_from_plans') }} as plan_fees
    union all
    select
        {% for column in columns %}
            usage_fees.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from {{ ref('int_fees_from_usage') }} as usage_fees
    union all
    select
        {% for column in columns %}
            one_off_fees.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from {{ ref('int_fees_from_one_offs') }} as one_off_fees

),

moments as (

    select * from {{ ref('int_invoice_moments') }}

)

select
    fees.fee_id,
    fees.moment_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    moments.plan_code,
    moments.plan_effective_at,
    moments.base_plan_code,
    moments.moment_state,
    fees.fee_type,
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
    fees.precise_amount_cents
from fees
inner join moments
    on fees.moment_id = moments.moment_id
