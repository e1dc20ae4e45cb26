with

customers as (

    select * from {{ ref('stg_book__customers') }}

),

organizations as (

    select * from {{ ref('stg_book__organizations') }}

),

billing_entities as (

    select * from {{ ref('stg_book__billing_entities') }}

),

customer_landings as (

    select * from {{ ref('stg_book__customer_landings') }}

),

organization_landings as (

    select * from {{ ref('stg_book__organization_landings') }}

),

{# the changes of a customer's timezone as text: customers with the same ones share their days #}
timezone_changes as (

    select
        changes.organization_id,
        changes.external_customer_id,
        string_agg(
            cast(changes.effective_at as varchar) || ' ' || changes.timezone, ', ' order by changes.effective_at
        ) as changes_text
    from {{ ref('stg_book__customer_timezone_changes') }} as changes
    group by changes.organization_id, changes.external_customer_id

),

numbered_customers as (

    select
        customer_landings.organization_id,
        customer_landings.external_customer_id,
        row_number() over (
            partition by customer_landings.organization_id
            order by
                customer_landings.first_batch_id,
                {{ binary_order('customer_landings.first_source_file') }},
                customer_landings.first_source_line,
                {{ binary_order('customer_landings.external_customer_id') }}
        ) as customer_number
    from customer_landings

),

default_prefixes as (

    select
        organization_landings.organization_id,
        upper(substr(organization_landings.first_organization_name, 1, 3))
        || '-'
        || lpad(
            cast(
                row_number() over (
                    partition by upper(substr(organization_landings.first_organization_name, 1, 3))
                    order by
                        organization_landings.first_batch_id,
                        {{ binary_order('organization_landings.first_source_file') }},
                        organization_landings.first_source_line,
                        {{ binary_order('organization_landings.organization_id') }}
                ) as varchar
            ),
            4,
            '0'
        ) as document_number_prefix
    from organization_landings

),

{# a child is billed as its parent is, which pays: its days, grace, terms, seller and numbers are the parent's #}
resolved as (

    select
        customers.organization_id,
        customers.external_customer_id,
        payers.external_customer_id as payer_external_customer_id,
        payers.billing_entity_code,
        customers.customer_name,
        customers.legal_name,
        customers.address_line1,
        customers.address_line2,
        customers.zipcode,
        customers.city,
        customers.state,
        customers.country,
        customers.email,
        customers.tax_identification_number,
        customers.locale,
        coalesce(payers.timezone, billing_entities.timezone, organizations.timezone, 'UTC') as timezone,
        coalesce(payers.timezone, billing_entities.timezone, organizations.timezone, 'UTC')
        || coalesce(', ' || timezone_changes.changes_text, '') as timezone_history,
        coalesce(
            customers.currency, payers.currency, billing_entities.default_currency, organizations.default_currency
        ) as currency,
        coalesce(
            payers.net_payment_term, billing_entities.net_payment_term, organizations.net_payment_term, 0
        ) as net_payment_term,
        coalesce(
            payers.invoice_grace_period, billing_entities.invoice_grace_period,
            organizations.invoice_grace_period, 0
        ) as invoice_grace_period,
        coalesce(customers.late_usage, payers.late_usage, organizations.late_usage, 'report') as late_usage,
        coalesce(
            customers.late_usage_limit_cents, payers.late_usage_limit_cents, organizations.late_usage_limit_cents, 0
        ) as late_usage_limit_cents,
        case payers.finalize_zero_amount_invoice
            when 'skip' then false
            when 'finalize' then true
            else coalesce(organizations.finalize_zero_amount_invoice, true)
        end as is_zero_invoice_finalized,
        coalesce(
            billing_entities.eu_tax_management, organizations.eu_tax_management, false
        ) as is_eu_tax_managed,
        customers.vat_check,
        customers.vat_number_country,
        coalesce(
            billing_entities.document_numbering, organizations.document_numbering, 'per_customer'
        ) as document_numbering,
        {# entities count by themselves: one without a prefix has the organisation's and its own code #}
        coalesce(
            billing_entities.document_number_prefix,
            coalesce(organizations.document_number_prefix, default_prefixes.document_number_prefix)
            || coalesce('-' || upper(billing_entities.billing_entity_code), '')
        ) as document_number_prefix,
        coalesce(billing_entities.timezone, organizations.timezone, 'UTC') as seller_timezone,
        coalesce(billing_entities.billing_entity_name, organizations.organization_name) as seller_name,
        coalesce(billing_entities.legal_name, organizations.legal_name) as seller_legal_name,
        coalesce(billing_entities.address_line1, organizations.address_line1) as seller_address_line1,
        coalesce(billing_entities.address_line2, organizations.address_line2) as seller_address_line2,
        coalesce(billing_entities.zipcode, organizations.zipcode) as seller_zipcode,
        coalesce(billing_entities.city, organizations.city) as seller_city,
        coalesce(billing_entities.state, organizations.state) as seller_state,
        coalesce(billing_entities.country, organizations.country) as seller_country,
        coalesce(billing_entities.email, organizations.email) as seller_email,
        coalesce(
            billing_entities.tax_identification_number, organizations.tax_identification_number
        ) as seller_tax_identification_number,
        coalesce(billing_entities.logo, organizations.logo) as seller_logo,
        cast(numbered_customers.customer_number as bigint) as customer_number
    from customers
    inner join customers as payers
        on
            customers.organization_id = payers.organization_id
            and coalesce(customers.parent_external_customer_id, customers.external_customer_id)
            = payers.external_customer_id
    inner join organizations
        on customers.organization_id = organizations.organization_id
    inner join numbered_customers
        on
            customers.organization_id = numbered_customers.organization_id
            and customers.external_customer_id = numbered_customers.external_customer_id
    inner join default_prefixes
        on customers.organization_id = default_prefixes.organization_id
    left join timezone_changes
        on
            payers.organization_id = timezone_changes.organization_id
            and payers.external_customer_id = timezone_changes.external_customer_id
    left join billing_entities
        on
            customers.organization_id = billing_entities.organization_id
            and payers.billing_entity_code = billing_entities.billing_entity_code

)

select * from resolved
