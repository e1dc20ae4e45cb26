{{ invoice_totals('draft') }}
