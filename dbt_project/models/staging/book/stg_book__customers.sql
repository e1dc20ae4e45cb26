with

customers as (

    {{ known_records('customers', ['external_customer_id']) }}

)

select
    customers.organization_id,
    customers.external_customer_id,
    customers.customer_name,
    customers.legal_name,
    customers.currency,
    customers.timezone,
    customers.address_line1,
    customers.address_line2,
    customers.zipcode,
    customers.city,
    customers.state,
    customers.country,
    customers.email,
    customers.tax_identification_number,
    customers.vat_check,
    customers.vat_number_country,
    customers.parent_external_customer_id,
    customers.invoice_grace_period,
    customers.net_payment_term,
    customers.finalize_zero_amount_invoice,
    customers.late_usage,
    customers.late_usage_limit_cents,
    customers.billing_entity_code,
    customers.locale,
    customers.payment_provider,
    customers.payment_provider_customer_id,
    customers.position,
    customers.batch_id,
    customers.source_file,
    customers.source_line
from customers
