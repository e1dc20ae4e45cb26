{%- set sides = [('seller', 'seller_'), ('customer', '')] -%}
with

invoices as (

    select * from {{ ref('ledger_invoices') }}
    where {{ is_close_open('close_id') }}

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

)

{# names and addresses as they were when the invoice was finalised #}
{% for party_role, prefix in sides -%}
    select
        invoices.close_id,
        invoices.invoice_id,
        invoices.organization_id,
        '{{ party_role }}' as party_role,
        customers.{{ 'seller_name' if party_role == 'seller' else 'customer_name' }} as party_name,
        customers.{{ prefix }}legal_name as legal_name,
        customers.{{ prefix }}address_line1 as address_line1,
        customers.{{ prefix }}address_line2 as address_line2,
        customers.{{ prefix }}zipcode as zipcode,
        customers.{{ prefix }}city as city,
        customers.{{ prefix }}state as state,
        customers.{{ prefix }}country as country,
        customers.{{ prefix }}email as email,
        customers.{{ prefix }}tax_identification_number as tax_identification_number,
        {{ 'customers.seller_logo' if party_role == 'seller' else 'cast(null as varchar)' }} as logo
    from invoices
    inner join customers
        on
            invoices.organization_id = customers.organization_id
            and invoices.external_customer_id = customers.external_customer_id
    {% if not loop.last %}
        union all

    {% endif %}
{%- endfor %}
