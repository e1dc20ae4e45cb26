{# No invoice asks for less than nothing: credits end at what is owed. #}
select
    invoices.invoice_id,
    invoices.sub_total_excluding_taxes_amount_cents,
    invoices.total_amount_cents
from {{ ref('fct_invoice') }} as invoices
where
    invoices.total_amount_cents < 0
    or invoices.sub_total_excluding_taxes_amount_cents < 0
