{# A customer's numbered invoices count 1, 2, 3, … and so do the organisation's. #}
select
    'customer' as counted_by,
    invoices.organization_id,
    invoices.external_customer_id,
    max(invoices.customer_sequence) as last_sequence,
    count(*) as invoices_count
from {{ ref('fct_invoice') }} as invoices
where invoices.invoice_number is not null
group by invoices.organization_id, invoices.external_customer_id
having
    min(invoices.customer_sequence) <> 1
    or max(invoices.customer_sequence) <> count(*)
    or count(distinct invoices.customer_sequence) <> count(*)

union all

select
    'organization' as counted_by,
    invoices.organization_id,
    cast(null as varchar) as external_customer_id,
    max(invoices.organization_sequence) as last_sequence,
    count(*) as invoices_count
from {{ ref('fct_invoice') }} as invoices
where invoices.invoice_number is not null
group by invoices.organization_id
having
    min(invoices.organization_sequence) <> 1
    or max(invoices.organization_sequence) <> count(*)
    or count(distinct invoices.organization_sequence) <> count(*)
