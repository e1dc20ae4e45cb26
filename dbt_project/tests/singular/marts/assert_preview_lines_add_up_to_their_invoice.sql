{# The lines of an invoice that is not finalised yet add up to its fees, in its currency. #}
with

line_sums as (

    select
        lines.invoice_id,
        lines.currency,
        sum(lines.amount_cents) as amount_cents
    from {{ ref('rpt_invoice_preview_line') }} as lines
    group by lines.invoice_id, lines.currency

)

select
    previews.invoice_id,
    previews.fees_amount_cents,
    line_sums.amount_cents
from {{ ref('rpt_invoice_preview') }} as previews
full outer join line_sums
    on
        previews.invoice_id = line_sums.invoice_id
        and previews.currency = line_sums.currency
where
    previews.invoice_id is null
    or previews.fees_amount_cents <> coalesce(line_sums.amount_cents, 0)
