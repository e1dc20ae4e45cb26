with

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

book_customers as (

    select * from {{ ref('stg_book__customers') }}

),

invoice_spans as (

    select
        invoices.organization_id,
        invoices.external_customer_id,
        count(*) as invoices_count,
        min(invoices.issuing_date) as first_issuing_date,
        max(invoices.issuing_date) as last_issuing_date
    from {{ ref('fct_invoice') }} as invoices
    where invoices.invoice_status <> 'closed'
    group by invoices.organization_id, invoices.external_customer_id

)

select
    customers.organization_id,
    customers.external_customer_id,
    customers.customer_number,
    customers.customer_name,
    customers.legal_name,
    customers.billing_entity_code,
    customers.seller_name,
    book_customers.parent_external_customer_id,
    customers.currency,
    customers.timezone,
    customers.locale,
    customers.net_payment_term,
    customers.address_line1,
    customers.address_line2,
    customers.zipcode,
    customers.city,
    customers.state,
    customers.country,
    customers.email,
    customers.tax_identification_number,
    book_customers.payment_provider,
    book_customers.payment_provider_customer_id,
    coalesce(invoice_spans.invoices_count, 0) as invoices_count,
    invoice_spans.first_issuing_date,
    invoice_spans.last_issuing_date
from customers
inner join book_customers
    on
        customers.organization_id = book_customers.organization_id
        and customers.external_customer_id = book_customers.external_customer_id
left join invoice_spans
    on
        customers.organization_id = invoice_spans.organization_id
        and customers.external_customer_id = invoice_spans.external_customer_id
