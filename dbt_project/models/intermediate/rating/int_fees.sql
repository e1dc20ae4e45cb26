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
        ref('int_fees_from_adjustments'),
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

),

regenerated_moments as (

    select * from {{ ref('int_regenerated_moments') }}

),

ledger_fees as (

    select * from {{ ref('stg_ledger__fees') }}

),

{# an invoice that is made anew has the fees of the one that was voided: docs/billing-rules.md, Voids #}
regenerated_fees as (

    select
        fees.*,
        regenerated_moments.moment_id as new_moment_id
    from fees
    inner join regenerated_moments
        on
            fees.moment_id = regenerated_moments.voided_moment_id
            and not regenerated_moments.is_in_ledger

    union all

    select
        ledger_fees.fee_id,
        ledger_fees.moment_id,
        case ledger_fees.fee_type
            when 'subscription' then coalesce(ledger_moments.fee_plan_code, ledger_moments.plan_code)
            when 'commitment' then coalesce(ledger_moments.commitment_plan_code, ledger_moments.plan_code)
            else ledger_moments.plan_code
        end as plan_code,
        case ledger_fees.fee_type
            when 'subscription' then coalesce(ledger_moments.fee_plan_effective_at, ledger_moments.plan_effective_at)
            when 'commitment'
                then coalesce(ledger_moments.commitment_plan_effective_at, ledger_moments.plan_effective_at)
            else ledger_moments.plan_effective_at
        end as plan_effective_at,
        ledger_fees.fee_type,
        ledger_fees.fee_code,
        ledger_fees.fee_name,
        ledger_fees.line_number as fee_position,
        0 as filter_position,
        ledger_fees.billable_metric_code,
        ledger_fees.charge_model,
        ledger_fees.filter_values,
        ledger_fees.group_values,
        ledger_fees.from_date,
        ledger_fees.to_date,
        ledger_fees.units,
        ledger_fees.events_count,
        ledger_fees.unit_price,
        ledger_fees.currency,
        ledger_fees.currency_exponent,
        ledger_fees.amount_cents,
        ledger_fees.precise_amount_cents,
        regenerated_moments.moment_id as new_moment_id
    from ledger_fees
    inner join regenerated_moments
        on
            ledger_fees.invoice_id = regenerated_moments.voided_invoice_id
            and ledger_fees.moment_id = regenerated_moments.voided_moment_id
            and regenerated_moments.is_in_ledger
    inner join {{ ref('stg_ledger__moments') }} as ledger_moments
        on ledger_fees.moment_id = ledger_moments.moment_id

),

all_fees as (

    select * from fees

    union all

    select
        {{ surrogate_key(['regenerated_fees.new_moment_id', 'regenerated_fees.fee_id']) }} as fee_id,
        regenerated_fees.new_moment_id as moment_id,
        {% for column in columns[2:] %}
            regenerated_fees.{{ column }}{% if not loop.last %},{% endif %}{% endfor %}
    from regenerated_fees

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
from all_fees as fees
inner join moments
    on fees.moment_id = moments.moment_id
