{#
  Fees of charges that are not invoiceable: each lives alone, with its own tax, and is on no invoice of its period
  (docs/billing-rules.md, Fees without an invoice). Those of events paid in advance are made as soon as the event is known, the others
  (renewals of recurring units, charges in arrears) with the billing moment that they belong to. What is in the ledger
  already is not made again.
#}
with

moments as (

    select * from {{ ref('int_billing_moments') }}

),

charges as (

    select * from {{ ref('stg_book__charges') }}

),

recorded as (

    select * from {{ ref('stg_ledger__standalone_fees') }}

),

{%- set fee_columns = [
    'fee_id', 'fee_code', 'fee_name', 'fee_position', 'filter_position', 'billable_metric_code', 'charge_model',
    'filter_values', 'group_values', 'from_date', 'to_date', 'units', 'events_count', 'unit_price', 'currency',
    'currency_exponent', 'amount_cents', 'precise_amount_cents', 'plan_code', 'plan_effective_at',
] %}

fees as (

    select
        {% for column in fee_columns %}
            advance_fees.{{ column }},
        {% endfor %}
        advance_fees.period_moment_id,
        advance_fees.transaction_id,
        advance.charged_at as made_at,
        advance.event_date as billing_date
    from {{ ref('int_fees_from_advance_charges') }} as advance_fees
    inner join {{ ref('int_advance_events') }} as advance
        on advance_fees.moment_id = advance.charging_id
    where advance_fees.is_charged and not advance_fees.is_invoiceable

    union all

    select
        {% for column in fee_columns %}
            usage_fees.{{ column }},
        {% endfor %}
        usage_fees.moment_id as period_moment_id,
        cast(null as varchar) as transaction_id,
        moments.finalizes_at as made_at,
        moments.billing_date
    from {{ ref('int_fees_from_usage') }} as usage_fees
    inner join moments
        on
            usage_fees.moment_id = moments.moment_id
            and moments.moment_state = 'due'
    where not usage_fees.is_invoiceable and usage_fees.is_kept

)

select
    {% for column in fee_columns %}
        fees.{{ column }},
    {% endfor %}
    fees.period_moment_id,
    fees.transaction_id,
    case when fees.transaction_id is null then moments.reason else 'advance_charge' end as reason,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    moments.subscription_created_at,
    moments.subscription_name,
    moments.base_plan_code,
    moments.purchase_order_number,
    moments.timezone,
    fees.made_at,
    fees.billing_date,
    moments.row_started_at,
    moments.has_previous_row,
    moments.full_started_at,
    moments.usage_from_at,
    {# an event paid in advance does not know how its period will end #}
    case when fees.transaction_id is null then moments.usage_to_at end as usage_to_at,
    moments.usage_from_date,
    moments.usage_full_days_count,
    case when fees.transaction_id is null then moments.usage_days_count end as usage_days_count,
    coalesce(charges.regroup_paid_fees = 'invoice', false) as is_regrouped_when_paid,
    moments.close_id,
    moments.as_of,
    moments.known_batch_id
from fees
inner join moments
    on fees.period_moment_id = moments.moment_id
inner join charges
    on
        moments.organization_id = charges.organization_id
        and fees.plan_code = charges.plan_code
        and fees.plan_effective_at = charges.effective_at
        and fees.fee_code = charges.charge_code
left join recorded
    on fees.fee_id = recorded.fee_id
where recorded.fee_id is null
