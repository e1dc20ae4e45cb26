{# Finalised invoices, also voided ones, have a number of their own within the organisation; closed ones have none. #}
select
    invoices.organization_id,
    invoices.invoice_number,
    count(*) as invoices_count
from {{ ref('fct_invoice') }} as invoices
where invoices.invoice_status in ('finalized', 'voided') or invoices.invoice_number is not null
group by invoices.organization_id, invoices.invoice_number
having
    count(*) > 1
    or count(invoices.invoice_number) = 0
    or max(case when invoices.invoice_status = 'closed' then 1 else 0 end) = 1
