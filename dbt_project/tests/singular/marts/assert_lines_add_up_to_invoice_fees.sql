{# The lines of an invoice add up to its fees, in the invoice's currency. #}
with

line_sums as (

    select
        lines.invoice_id,
        lines.currency,
        sum(lines.amount_cents) as amount_cents,
        count(*) as lines_count
    from {{ ref('fct_invoice_line') }} as lines
    group by lines.invoice_id, lines.currency

)

select
    invoices.invoice_id,
    invoices.fees_amount_cents,
    line_sums.amount_cents,
    invoices.lines_count
from {{ ref('fct_invoice') }} as invoices
full outer join line_sums
    on
        invoices.invoice_id = line_sums.invoice_id
        and invoices.currency = line_sums.currency
where
    invoices.invoice_id is null
    or invoices.fees_amount_cents <> coalesce(line_sums.amount_cents, 0)
    or invoices.lines_count <> coalesce(line_sums.lines_count, 0)
