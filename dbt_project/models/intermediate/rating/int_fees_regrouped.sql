{%- set columns = [
    'fee_id', 'fee_code', 'fee_name', 'fee_position', 'filter_position', 'billable_metric_code',
    'charge_model', 'filter_values', 'group_values', 'from_date', 'to_date', 'units', 'events_count',
    'unit_price', 'currency', 'currency_exponent', 'amount_cents', 'precise_amount_cents', 'plan_code',
    'plan_effective_at', 'period_moment_id', 'transaction_id', 'reason', 'organization_id',
    'external_customer_id', 'external_subscription_id', 'subscription_created_at', 'base_plan_code',
    'purchase_order_number', 'subscription_name', 'made_at', 'billing_date', 'is_regrouped_when_paid',
    'taxes_rate', 'taxes_amount_cents',
] -%}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

{# every fee without an invoice, of earlier closes and of this one #}
fees as (

    select
        {% for column in columns %}
            recorded.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref('stg_ledger__standalone_fees') }} as recorded

    union all

    select
        {% for column in columns %}
            made.{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref('int_standalone_fees_taxed') }} as made

),

invoiced as (

    select * from {{ ref('stg_ledger__fees') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

payments as (

    select payments.*
    from {{ ref('stg_book__payments') }} as payments
    inner join close_scope
        on
            payments.organization_id = close_scope.organization_id
            and payments.created_at <= close_scope.as_of
    where payments.fee_external_subscription_id is not null

),

{# the fee that a payment means: the nth, in order of creation, of those that match #}
meant as (

    select
        payments.payment_id,
        payments.organization_id,
        payments.created_at,
        payments.amount_cents,
        coalesce(payments.match_nth, 1) as match_nth,
        fees.fee_id,
        row_number() over (
            partition by payments.organization_id, payments.payment_id
            order by
                fees.made_at, fees.fee_position, fees.filter_position,
                {{ binary_order("coalesce(fees.group_values, '')") }},
                fees.fee_id
        ) as nth
    from payments
    inner join fees
        on
            payments.organization_id = fees.organization_id
            and payments.fee_external_subscription_id = fees.external_subscription_id
            and (payments.fee_charge_code is null or payments.fee_charge_code = fees.fee_code)
            and (payments.fee_transaction_id is null or payments.fee_transaction_id = fees.transaction_id)
            and (payments.fee_date is null or payments.fee_date = fees.billing_date)

),

received as (

    select
        meant.fee_id,
        meant.created_at,
        sum(meant.amount_cents) over (
            partition by meant.fee_id
            order by meant.created_at
            range between unbounded preceding and current row
        ) as amount_cents
    from meant
    where meant.nth = meant.match_nth

),

{# paid once all payments so far reach its amount with its tax; what costs nothing is paid when it is made #}
paid as (

    select
        fees.fee_id,
        min(
            case
                when fees.amount_cents + fees.taxes_amount_cents <= 0 then fees.made_at
                when received.amount_cents >= fees.amount_cents + fees.taxes_amount_cents
                    then greatest(fees.made_at, received.created_at)
            end
        ) as paid_at
    from fees
    left join received
        on fees.fee_id = received.fee_id
    group by fees.fee_id

),

{# when a subscription is billed for a period, without waiting for a grace period #}
moments as (

    select
        billing.*,
        {{ surrogate_key(['billing.moment_id', "'advance_charges'"]) }} as regrouping_id
    from {{ ref('int_billing_moments') }} as billing
    where
        billing.reason in ('renewal', 'upgrade', 'downgrade', 'termination')
        and billing.moment_state in ('due', 'draft')

),

{# what was paid before; at a renewal only of periods that have ended by then #}
candidates as (

    select
        fees.fee_id,
        paid.paid_at,
        moments.regrouping_id as moment_id,
        moments.moment_id as billing_moment_id,
        moments.billing_at as regrouped_at,
        moments.billing_date as regrouped_on,
        moments.invoice_group,
        moments.close_id,
        moments.as_of,
        moments.known_batch_id,
        row_number() over (
            partition by fees.fee_id
            order by moments.billing_at, moments.regrouping_id
        ) as place
    from fees
    inner join paid
        on
            fees.fee_id = paid.fee_id
            and paid.paid_at is not null
    inner join moments
        on
            fees.organization_id = moments.organization_id
            and fees.external_subscription_id = moments.external_subscription_id
            and paid.paid_at < moments.billing_at
            and (moments.reason in ('upgrade', 'termination') or fees.to_date < moments.billing_date)
    left join finalized_moments
        on moments.regrouping_id = finalized_moments.moment_id
    left join invoiced
        on fees.fee_id = invoiced.fee_id
    where
        fees.is_regrouped_when_paid
        and finalized_moments.moment_id is null
        and invoiced.fee_id is null

)

select
    {% for column in columns if column != 'fee_position' %}
        fees.{{ column }},
    {% endfor %}
    {# on the invoice in the order in which they were made #}
    cast(
        row_number() over (
            partition by candidates.moment_id
            order by
                fees.made_at, fees.fee_position, fees.filter_position,
                {{ natural_order("coalesce(fees.transaction_id, '')") }},
                {{ binary_order("coalesce(fees.group_values, '')") }},
                fees.fee_id
        ) as integer
    ) as fee_position,
    candidates.paid_at,
    candidates.moment_id,
    candidates.billing_moment_id,
    candidates.regrouped_at,
    candidates.regrouped_on,
    candidates.invoice_group,
    candidates.close_id,
    candidates.as_of,
    candidates.known_batch_id
from candidates
inner join fees
    on candidates.fee_id = fees.fee_id
where candidates.place = 1
