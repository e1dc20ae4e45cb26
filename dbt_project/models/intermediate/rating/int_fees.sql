{%- set columns = [
    'fee_id', 'moment_id', 'plan_code', 'plan_effective_at', 'fee_type', 'fee_code', 'fee_name', 'fee_position',
    'filter_position', 'billable_metric_code', 'charge_model', 'filter_values', 'group_values', 'from_date', 'to_date',
    'units', 'events_count', 'unit_price', 'currency', 'currency_exponent', 'amount_cents', 'precise_amount_cents',
] -%}
with

usage_fees as (

    select fees.*
    from {{ ref('int_fees_from_usage') }} as fees
    left join {{ ref('int_fees_from_true_ups') }} as true_ups
        on
            fees.moment_id = true_ups.moment_id
            and fees.fee_code = true_ups.fee_code
    {# an empty line stays when a true-up hangs on it #}
    where fees.is_invoiceable and (fees.is_kept or (fees.is_first_of_charge and true_ups.fee_id is not null))

),

{# paid fees that had no invoice so far #}
regrouped_fees as (

    select
        regrouped.*,
        'charge' as fee_type
    from {{ ref('int_fees_regrouped') }} as regrouped

),

fees as (

    {% for source in [
        ref('int_fees_from_plans'),
        'usage_fees',
        ref('int_fees_from_true_ups'),
        ref('int_fees_from_advance_charges'),
        ref('int_fees_from_one_offs'),
        ref('int_fees_from_fixed_charges'),
        ref('int_fees_from_commitments'),
        'regrouped_fees',
    ] -%}
        select
            {% for column in columns %}
                sources.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
        from {{ source }} as sources
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

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
    {# the prices that the fee is made of; on one invoice its fees may have different versions of a plan #}
    fees.plan_code,
    fees.plan_effective_at,
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
