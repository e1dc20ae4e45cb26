with

billing_entities as (

    {{ known_children('billing_entities', 'organizations', []) }}

)

select
    billing_entities.organization_id,
    billing_entities.billing_entity_code,
    billing_entities.billing_entity_name,
    billing_entities.legal_name,
    billing_entities.address_line1,
    billing_entities.address_line2,
    billing_entities.zipcode,
    billing_entities.city,
    billing_entities.state,
    billing_entities.country,
    billing_entities.email,
    billing_entities.tax_identification_number,
    billing_entities.logo,
    billing_entities.timezone,
    billing_entities.default_currency,
    billing_entities.eu_tax_management,
    billing_entities.invoice_grace_period,
    billing_entities.net_payment_term,
    billing_entities.document_numbering,
    billing_entities.document_number_prefix,
    billing_entities.batch_id
from billing_entities
