with

open_moments as (

    select
        moments.*,
        rank() over (
            partition by moments.organization_id, moments.external_subscription_id, moments.moment_state
            order by moments.billing_at
        ) as place
    from {{ ref('int_moments_to_invoice') }} as moments
    where moments.moment_state in ('due', 'draft', 'running')

),

{# of what is still running the next moment of each subscription: it is previewed, nothing of it is finalised #}
moments as (

    select * from open_moments
    where open_moments.moment_state <> 'running' or open_moments.place = 1

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

{#
  what a customer's subscriptions, and those of its children, bring at one moment shares an invoice, apart by currency, purchase order and group
  (docs/billing-rules.md, Invoice)
#}
grouped as (

    select
        moments.*,
        customers.payer_external_customer_id,
        customers.net_payment_term,
        customers.invoice_grace_period,
        currencies.exponent as currency_exponent,
        {{ surrogate_key([
            'moments.organization_id', 'customers.payer_external_customer_id', 'moments.invoice_type',
            'moments.billing_at',
            'moments.currency', 'moments.purchase_order_number', 'moments.invoice_group',
        ]) }} as invoice_id
    from moments
    inner join customers
        on
            moments.organization_id = customers.organization_id
            and moments.external_customer_id = customers.external_customer_id
    inner join currencies
        on moments.currency = currencies.currency_code

),

{# what is landed after its invoice was finalised goes on one of its own #}
finalized as (

    select * from {{ ref('stg_ledger__invoices') }}

),

{# an invoice that waits for a grace period is dated on the day on which it is finalised #}
dated as (

    select
        grouped.*,
        case
            when grouped.has_grace
                then {{ add_days('grouped.billing_date', 'grouped.invoice_grace_period') }}
            else grouped.billing_date
        end as issuing_date
    from grouped

)

select
    dated.moment_id,
    dated.moment_state,
    case
        when finalized.invoice_id is null then dated.invoice_id
        else {{ surrogate_key(['dated.invoice_id', 'dated.close_id']) }}
    end as invoice_id,
    dated.organization_id,
    dated.payer_external_customer_id as external_customer_id,
    dated.external_subscription_id,
    dated.close_id,
    dated.as_of,
    dated.known_batch_id,
    dated.invoice_type,
    dated.reason,
    dated.instant_rank,
    dated.invoice_group,
    dated.billing_at,
    dated.finalizes_at,
    dated.issuing_date,
    {{ add_days('dated.issuing_date', 'dated.net_payment_term') }} as payment_due_date,
    dated.net_payment_term,
    dated.purchase_order_number,
    dated.currency,
    cast(dated.currency_exponent as integer) as currency_exponent
from dated
left join finalized
    on dated.invoice_id = finalized.invoice_id
