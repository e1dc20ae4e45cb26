with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

{# the periods of a subscription; what is invoiced on request has none #}
billing as (

    select * from {{ ref('int_billing_moments') }}

),

{# what the close's invoices bill, and the last periods of subscriptions that ended without a closing invoice #}
{%- set columns = [
    'moment_id', 'organization_id', 'external_customer_id', 'external_subscription_id', 'subscription_name',
    'plan_code', 'plan_effective_at', 'reason', 'billing_at', 'base_plan_code', 'purchase_order_number',
    'billing_date', 'finalizes_at', 'invoice_group',
] %}
moments as (

    select
        {% for column in columns -%}
            moments.{{ column }},
        {% endfor -%}
        invoices.close_id,
        invoices.invoice_id,
        scheduled.known_batch_id
    from invoices
    inner join {{ ref('int_invoices_scheduled') }} as scheduled
        on invoices.invoice_id = scheduled.invoice_id
    inner join {{ ref('int_invoice_moments') }} as moments
        on scheduled.moment_id = moments.moment_id

    union all

    select
        {% for column in columns -%}
            billing.{{ column }},
        {% endfor -%}
        billing.close_id,
        cast(null as varchar) as invoice_id,
        billing.known_batch_id
    from billing
    left join {{ ref('gate_held_customers') }} as held
        on
            billing.organization_id = held.organization_id
            and billing.external_customer_id = held.external_customer_id
    where
        billing.moment_state = 'skipped'
        and billing.billing_at <= billing.as_of
        and held.external_customer_id is null
        and {{ is_close_open('billing.close_id') }}

),

{#
  An event paid in advance and the crossing of a threshold are billed while their period runs: that period, as it stood
  when they were billed.
#}
progressive as (

    select * from {{ ref('int_progressive_moments') }}

),

advance as (

    select * from {{ ref('int_advance_moments') }}

),

{# the billing of a period at which fees that were paid before are put on an invoice #}
regrouped as (

    select distinct
        regrouped.moment_id,
        regrouped.billing_moment_id
    from {{ ref('int_fees_regrouped') }} as regrouped

),

{# what was asked for, or the event that was billed #}
requests as (

    select
        one_offs.moment_id,
        one_offs.request_id
    from {{ ref('int_one_off_moments') }} as one_offs

    union all

    select
        advance.moment_id,
        advance.transaction_id as request_id
    from advance

    union all

    select
        regenerated.moment_id,
        regenerated.request_id
    from {{ ref('int_regenerated_moments') }} as regenerated

)

select
    moments.close_id,
    moments.moment_id,
    moments.invoice_id,
    moments.organization_id,
    moments.external_customer_id,
    moments.external_subscription_id,
    coalesce(billing.subscription_created_at, periods.subscription_created_at) as subscription_created_at,
    customers.customer_name,
    moments.subscription_name,
    moments.plan_code,
    moments.plan_effective_at,
    moments.reason,
    moments.billing_at,
    billing.from_date,
    billing.to_date,
    billing.full_from_date,
    cast(billing.full_days_count as integer) as full_days_count,
    coalesce(billing.usage_from_at, periods.usage_from_at) as usage_from_at,
    coalesce(billing.usage_to_at, running.usage_full_to_at) as usage_to_at,
    moments.known_batch_id,
    moments.base_plan_code,
    moments.purchase_order_number,
    {# a threshold does not know the timezone in which its period will end #}
    coalesce(billing.timezone, progressive.timezone, periods.timezone) as timezone,
    moments.billing_date,
    moments.finalizes_at,
    moments.invoice_group,
    coalesce(billing.row_started_at, periods.row_started_at) as row_started_at,
    coalesce(billing.has_previous_row, periods.has_previous_row) as has_previous_row,
    billing.ended_by,
    billing.next_plan_code,
    billing.next_plan_effective_at,
    billing.has_plan_fee,
    cast(billing.days_count as integer) as days_count,
    coalesce(billing.full_started_at, periods.full_started_at) as full_started_at,
    coalesce(billing.usage_from_date, periods.usage_from_date) as usage_from_date,
    coalesce(billing.usage_to_date, running.usage_full_to_date) as usage_to_date,
    cast(coalesce(billing.usage_full_days_count, periods.usage_full_days_count) as integer) as usage_full_days_count,
    cast(
        coalesce(
            billing.usage_days_count,
            {{ days_between('running.usage_from_date', 'running.usage_full_to_date') }} + 1
        ) as integer
    ) as usage_days_count,
    billing.fee_plan_code,
    billing.fee_plan_effective_at,
    billing.closed_date,
    billing.opened_date,
    billing.commitment_plan_code,
    billing.commitment_plan_effective_at,
    billing.commitment_from_date,
    billing.commitment_to_date,
    cast(billing.commitment_days_count as integer) as commitment_days_count,
    cast(billing.commitment_full_days_count as integer) as commitment_full_days_count,
    requests.request_id,
    billing.usage_full_to_date
from moments
left join {{ ref('int_customers_resolved') }} as customers
    on
        moments.organization_id = customers.organization_id
        and moments.external_customer_id = customers.external_customer_id
left join billing
    on moments.moment_id = billing.moment_id
left join progressive
    on moments.moment_id = progressive.moment_id
left join advance
    on moments.moment_id = advance.moment_id
left join regrouped
    on moments.moment_id = regrouped.moment_id
left join billing as periods
    on
        coalesce(progressive.period_moment_id, advance.period_moment_id, regrouped.billing_moment_id)
        = periods.moment_id
{# at a threshold nothing is known of how the period will end #}
left join billing as running
    on progressive.period_moment_id = running.moment_id
left join requests
    on moments.moment_id = requests.moment_id
