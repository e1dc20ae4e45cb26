with

organizations as (

    {{ known_records('organizations', []) }}

)

select
    organizations.organization_id,
    organizations.organization_name,
    organizations.legal_name,
    organizations.address_line1,
    organizations.address_line2,
    organizations.zipcode,
    organizations.city,
    organizations.state,
    organizations.country,
    organizations.email,
    organizations.tax_identification_number,
    organizations.logo,
    organizations.timezone,
    organizations.default_currency,
    organizations.eu_tax_management,
    organizations.invoice_grace_period,
    organizations.net_payment_term,
    organizations.finalize_zero_amount_invoice,
    organizations.document_numbering,
    organizations.document_number_prefix,
    organizations.late_usage,
    organizations.late_usage_limit_cents,
    organizations.batch_id,
    organizations.source_file,
    organizations.source_line
from organizations
