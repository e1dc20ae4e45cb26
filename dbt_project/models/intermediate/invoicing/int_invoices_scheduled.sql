with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'due'

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

plan_versions as (

    select
        plan_versions.organization_id,
        plan_versions.plan_code,
        plan_versions.effective_at,
        plan_versions.amount_currency as currency,
        currencies.exponent as currency_exponent
    from {{ ref('int_plan_versions') }} as plan_versions
    left join {{ ref('currencies') }} as currencies
        on plan_versions.amount_currency = currencies.currency_code

),

{# a customer's subscriptions that are due at one moment share an invoice, apart by currency and purchase order #}
grouped as (

    select
        moments.moment_id,
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        moments.close_id,
        moments.known_batch_id,
        moments.billing_at,
        moments.billing_date,
        moments.purchase_order_number,
        plan_versions.currency,
        plan_versions.currency_exponent,
        {{ surrogate_key([
            'moments.organization_id', 'moments.external_customer_id', "'subscription'", 'moments.billing_at',
            'plan_versions.currency', 'moments.purchase_order_number', 'moments.invoice_group',
        ]) }} as invoice_id
    from moments
    inner join plan_versions
        on
            moments.organization_id = plan_versions.organization_id
            and moments.plan_code = plan_versions.plan_code
            and moments.plan_effective_at = plan_versions.effective_at

)

select
    grouped.moment_id,
    grouped.invoice_id,
    grouped.organization_id,
    grouped.external_customer_id,
    grouped.external_subscription_id,
    grouped.close_id,
    grouped.known_batch_id,
    'subscription' as invoice_type,
    grouped.billing_at,
    grouped.billing_date as issuing_date,
    {{ add_days('grouped.billing_date', 'customers.net_payment_term') }} as payment_due_date,
    customers.net_payment_term,
    grouped.purchase_order_number,
    grouped.currency,
    cast(grouped.currency_exponent as integer) as currency_exponent
from grouped
inner join customers
    on
        grouped.organization_id = customers.organization_id
        and grouped.external_customer_id = customers.external_customer_id
