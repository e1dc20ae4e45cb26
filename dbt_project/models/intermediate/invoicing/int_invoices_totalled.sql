{{ invoice_totals('due') }}
