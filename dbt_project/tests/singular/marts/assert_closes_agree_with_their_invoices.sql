{#
  What a close says that it finalised is what the marts hold of it: no invoice is lost on the way.
#}
with

invoice_counts as (

    select
        invoices.close_id,
        invoices.organization_id,
        count(*) as invoices_count
    from {{ ref('fct_invoice') }} as invoices
    group by invoices.close_id, invoices.organization_id

)

select
    closes.close_id,
    closes.organization_id,
    closes.invoices_count,
    invoice_counts.invoices_count as found_invoices_count
from {{ ref('fct_close') }} as closes
full outer join invoice_counts
    on
        closes.close_id = invoice_counts.close_id
        and closes.organization_id = invoice_counts.organization_id
where
    closes.close_id is null
    or closes.invoices_count <> coalesce(invoice_counts.invoices_count, 0)
