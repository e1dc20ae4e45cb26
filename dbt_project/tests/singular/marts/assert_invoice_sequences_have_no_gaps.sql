{# A customer's numbered invoices count 1, 2, 3, … for each billing entity, and so do the entity's. #}
select
    'customer' as counted_by,
    invoices.organization_id,
    invoices.external_customer_id,
    max(invoices.customer_sequence) as last_sequence,
    count(*) as invoices_count
from {{ ref('fct_invoice') }} as invoices
where invoices.invoice_number is not null
group by invoices.organization_id, invoices.external_customer_id, invoices.billing_entity_code
having
    min(invoices.customer_sequence) <> 1
    or max(invoices.customer_sequence) <> count(*)
    or count(distinct invoices.customer_sequence) <> count(*)

union all

select
    'billing entity' as counted_by,
    invoices.organization_id,
    cast(null as varchar) as external_customer_id,
    max(invoices.organization_sequence) as last_sequence,
    count(*) as invoices_count
from {{ ref('fct_invoice') }} as invoices
where invoices.invoice_number is not null
group by invoices.organization_id, invoices.billing_entity_code
having
    min(invoices.organization_sequence) <> 1
    or max(invoices.organization_sequence) <> count(*)
    or count(distinct invoices.organization_sequence) <> count(*)
